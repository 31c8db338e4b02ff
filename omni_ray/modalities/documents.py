"""Which rows of text are one document: lines of one are adjacent, and share what comes before ``#`` in their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]


def document_starts(ids: pa.Array | pa.ChunkedArray) -> Ints:
    """The row at which each document begins, for line ids ``<document>#<n>``; an id without # is a document."""
    if len(ids) == 0:
        return np.zeros(0, np.int64)
    names = pc.replace_substring_regex(ids, r"#\d+$", "")
    if isinstance(names, pa.ChunkedArray):
        names = names.combine_chunks()
    changed = pc.not_equal(names.slice(1), names.slice(0, len(names) - 1)).to_numpy(zero_copy_only=False)
    return np.concatenate([[0], np.flatnonzero(changed) + 1]).astype(np.int64)


def whole_documents(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows; every document that begins in one table and continues in the next is whole in the next one."""
    rest: pa.Table | None = None
    for rows in tables:
        if rows.num_rows == 0:
            continue
        rows = rows if rest is None else pa.concat_tables([rest, rows])
        last = int(document_starts(rows["id"])[-1])
        rest = rows.slice(last)
        if last:
            yield rows.slice(0, last)
    if rest is not None:
        yield rest
