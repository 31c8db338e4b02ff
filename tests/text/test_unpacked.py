"""Parquet and Arrow files that are packed once more."""

from __future__ import annotations

import gzip
import io
import lzma
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from omni_ray.corpora.text_files import TextFiles
from omni_ray.errors import SourceError
from tests.list_sources import Source

TEXTS = [f"text {n}" for n in range(1000)]
OTHERS = [f"word {n}" for n in range(1000)]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def table(kind: str, values: list[str] = TEXTS) -> bytes:
    rows, out = pa.table({"text": values}), io.BytesIO()
    if kind == "parquet":
        pq.write_table(rows, out, row_group_size=100)
    else:
        with (pa.ipc.new_stream if kind == "arrows" else pa.ipc.new_file)(out, rows.schema) as writer:
            for batch in rows.to_batches(max_chunksize=100):
                writer.write_batch(batch)
    return out.getvalue()


def texts(rows: list[Any]) -> list[str]:
    return [row["text"] for row in rows]


@pytest.mark.parametrize("kind", ["parquet", "arrow", "arrows"])
def test_slices_of_a_packed_file(source: Source, kind: str) -> None:
    """Several units read the same copy; two files take turns."""
    name = kind.removesuffix("s")
    source.put(f"a.{name}.gz", gzip.compress(table(kind)))
    assert texts(source.rows(TextFiles(), unit_scale=1e-5)) == TEXTS
    source.put(f"b.{name}", lzma.compress(table(kind, OTHERS)))  # whatever it is called
    assert texts(source.rows(TextFiles(), unit_scale=1e-5)) == [*TEXTS, *OTHERS]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_one_that_was_cut_or_is_something_else_is_named(source: Source, kind: str) -> None:
    source.put(f"a.{kind}.xz", lzma.compress(table(kind))[:-40])
    with pytest.raises(SourceError, match=rf"a\.{kind}\.xz: the rest of the file cannot be unpacked.*fetch it again"):
        source.rows(TextFiles())
    source.put(f"a.{kind}.xz", lzma.compress(b"<!DOCTYPE html><html>not found</html>"))
    with pytest.raises(SourceError, match=rf"a\.{kind}\.xz: no {kind.capitalize()} file, but an HTML page"):
        source.rows(TextFiles())
