"""Text: a document becomes lines, each a training sample of its own.

Everything is done on whole Arrow columns; Python sees only the few lines that are too long or hold characters
which Unicode normalization may change.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.modalities.base import Modality, Transformed, schema_for, schema_of_raw, schema_of_shards
from omni_ray.modalities.groups import document_keys
from omni_ray.modalities.lines import one_line_array, split_line
from omni_ray.modalities.params import TextParams
from omni_ray.records import EXTRA, Rejected
from omni_ray.trainers.lines import MAX_LINE_BYTES

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_NAME_BYTES = 4096
"""A longer title or URL is an accident or an attack, and would be in every line's row: it is left out."""
_SLICE_BYTES = 8 << 20
"""Documents are processed in slices of about this size, so that every step finds its input in the cache."""


_NAMES = ("title", "url", "lang")
_STRINGS = [(name, pa.string()) for name in _NAMES]


class Text(Modality[TextParams]):
    """Plain text. A record is a document, a sample a line; line ``n`` of document ``d`` is ``d#n``."""

    name = "text"
    params_type = TextParams
    of_documents = True
    title, row, samples, judged, held_together = "Text", "line", "lines", "document", "document"
    tasks = ("text-generation",)
    own_files = "text_files"
    group_columns = ("id", "text")

    raw_schema = schema_of_raw(("text", pa.large_string()), ("counts", pa.string()), *_STRINGS)
    """``text`` is a document; line feeds separate its paragraphs. ``counts`` is null or a JSON object of what its reader
    counted and the manifest should add up."""
    schema = schema_of_shards(("text", pa.large_string()), *_STRINGS)
    """``text`` is one line; ``title``, ``url`` and ``lang`` are the document's, null where unknown."""

    def transform(self, raw: pa.Table, corpus: str, params: TextParams) -> Transformed:
        """Documents to lines: each paragraph one clean line, the long ones split, blank ones dropped.

        Joining a paragraph's lines with spaces gives back the clean paragraph. A document without visible
        text is rejected as ``empty_text``.
        """
        raw, schema = raw.combine_chunks(), schema_for(self.schema, raw.column_names)
        parts: list[pa.Table] = []
        rejected: list[Rejected] = []
        start = 0
        for end in _slice_ends(raw["text"]):
            kept, empty = _lines(raw.slice(start, end - start), corpus, params, schema)
            parts.append(kept)
            rejected += empty
            start = end
        return Transformed(pa.concat_tables(parts) if parts else schema.empty_table(), rejected, _counted(raw))

    def group_keys(self, rows: pa.Table, *, by_row: bool = False) -> pa.Array:
        """What its whole document says."""
        return document_keys(rows)

    def group_said(self, row: Mapping[str, Any], name: str) -> str:
        """By the document's name, which the line's id has."""
        document, _, line = row["id"].rpartition("#")
        return f"document {document or line}"

    def warnings(self, samples: int, stats: Mapping[str, float], params: TextParams) -> list[str]:
        """What of wiki markup had to be guessed, or was lost."""
        guessed = stats.get("templates_shown_by_guess", 0)
        notes = stats.get("templates_taken_for_notes", 0)
        boxes = stats.get("templates_taken_for_boxes", 0)
        left_out, formulas = stats.get("sentences_left_out", 0), stats.get("formulas_left_out", 0)
        if not guessed + notes + boxes + left_out + formulas:
            return []
        return [
            f"templates that are not known: {guessed:,.0f} shown by their first words, {notes:,.0f} taken for notes, "
            f"{boxes:,.0f} for boxes; sentences left out for lack of a word: {left_out:,.0f}; "
            f"formulas on lines of their own left out: {formulas:,.0f}"
        ]

    def records_per_row(self, rows: pa.Table) -> list[int]:
        """1 for the first line of each document, else 0."""
        return pc.ends_with(rows["id"], "#0").cast(pa.int8()).to_pylist()  # type: ignore[no-any-return]


MODALITY = Text()


def _counted(raw: pa.Table) -> dict[str, float]:
    if "counts" not in raw.column_names:
        return {}
    total: Counter[str] = Counter()
    for counts in raw["counts"].drop_null().to_pylist():
        total.update(json.loads(counts))
    return dict(total)


def _slice_ends(text: pa.ChunkedArray) -> list[int]:
    """Row numbers at which to cut, so that a slice holds about ``_SLICE_BYTES`` of text, or one row."""
    total = np.cumsum(pc.fill_null(pc.binary_length(text), 0).to_numpy().astype(np.int64))
    ends = []
    done = 0
    row = 0
    while row < len(total):
        row = max(row + 1, int(np.searchsorted(total, done + _SLICE_BYTES, side="right")))
        done = int(total[row - 1])
        ends.append(row)
    return ends


def _lines(raw: pa.Table, corpus: str, params: TextParams, schema: pa.Schema) -> tuple[pa.Table, list[Rejected]]:
    documents = pc.fill_null(raw["text"].combine_chunks().cast(pa.large_string()), "")
    paragraphs = pc.split_pattern(documents, "\n")
    parent = pc.list_parent_indices(paragraphs).to_numpy().astype(np.int64)
    text = one_line_array(paragraphs.flatten())
    visible = np.flatnonzero(pc.binary_length(text).to_numpy())
    if len(visible) < len(text):
        text, parent = text.take(pa.array(visible)), parent[visible]
    text, parent = _split_long(text, parent, params.max_line_chars)

    first = np.searchsorted(parent, np.arange(raw.num_rows))
    number = pa.array(np.arange(len(parent)) - first[parent]).cast(pa.string())
    of = pa.array(parent)
    columns = {
        "id": pc.binary_join_element_wise(_column(raw, "id").take(of), number, "#"),
        "corpus": pa.repeat(pa.scalar(corpus), len(parent)),
        "text": text,
        **{name: _short(_column(raw, name)).take(of) for name in _NAMES},
    }
    if EXTRA in raw.column_names:
        columns[EXTRA] = _column(raw, EXTRA).take(of)
    empty = np.ones(raw.num_rows, dtype=bool)
    empty[parent] = False
    return pa.table(columns, schema=schema), _empty(raw.filter(pa.array(empty)))


def _split_long(
    text: pa.LargeStringArray, parent: NDArray[np.int64], budget: int
) -> tuple[pa.LargeStringArray, NDArray[np.int64]]:
    """Lines over the budget in pieces, in its place; ``parent`` (each line's document) follows."""
    long = np.flatnonzero(pc.binary_length(text).to_numpy() > budget)
    if not len(long):
        return text, parent
    pieces = [split_line(line, budget, MAX_LINE_BYTES) for line in text.take(pa.array(long)).to_pylist()]
    count = np.ones(len(text), dtype=np.int64)
    count[long] = [len(p) for p in pieces]
    source = np.repeat(np.arange(len(text)), count)
    source[np.repeat(count, count) > 1] = -1
    parent = np.repeat(parent, count)
    # A long line in one piece (a single word) keeps its place; the others come from behind the old lines.
    cut = [piece for line in pieces if len(line) > 1 for piece in line]
    source[source < 0] = len(text) + np.arange(len(cut))
    return pa.concat_arrays([text, pa.array(cut, pa.large_string())]).take(pa.array(source)), parent


def _column(raw: pa.Table, name: str) -> pa.StringArray:
    if name not in raw.column_names:
        return pa.nulls(raw.num_rows, pa.string())
    return raw[name].combine_chunks().cast(pa.string())


def _short(names: pa.StringArray) -> pa.StringArray:
    return pc.if_else(pc.less_equal(pc.binary_length(names), MAX_NAME_BYTES), names, None)


def _empty(rows: pa.Table) -> list[Rejected]:
    wanted = [name for name in ("id", "where", "records", "title", "counts") if name in rows.column_names]
    return [_rejection(row) for row in rows.select(wanted).to_pylist()]


def _rejection(row: Mapping[str, Any]) -> Rejected:
    """The reason for a document without text: a fault, unless its reader counted things and no sentences among them."""
    records, counts = row.get("records"), json.loads(row.get("counts") or "{}")
    detail, left_out = row.get("title") or "", counts.get("sentences_left_out", 0)
    if left_out:
        detail = f"{detail}: all that was left of it were sentences that lack a word ({left_out})".removeprefix(": ")
    reason = "stub" if counts and not left_out else "empty_text"
    return Rejected(row["id"], row.get("where") or "", reason, detail, 1 if records is None else records)
