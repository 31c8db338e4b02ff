"""Documents to lines: schema, ids, accounting, and nothing lost on the way."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_ray.errors import OmniError
from omni_ray.modalities.lines import one_line
from omni_ray.modalities.text import Text, TextParams
from omni_ray.trainers.lines import MAX_LINE_BYTES

TEXT = Text()
COMMON = "ab .!?\n\r\t\xa0é\u200b\x00"


def raw(*documents: str | None, **columns: str) -> pa.Table:
    rows = [
        {"id": f"d{n}", "where": f"f row {n}", "records": 1, "text": text, **columns}
        for n, text in enumerate(documents)
    ]
    return pa.Table.from_pylist(rows, schema=TEXT.raw_schema)


def test_a_document_becomes_numbered_lines_with_its_title() -> None:
    table = raw("First line.\n\n  Second\tline. ", "Other.", title="T", url="U", lang="en")
    result = TEXT.transform(table, "books", TextParams())
    assert result.kept.schema.equals(TEXT.schema, check_metadata=True)
    assert result.kept.to_pylist() == [
        {"id": "d0#0", "corpus": "books", "text": "First line.", "title": "T", "url": "U", "lang": "en"},
        {"id": "d0#1", "corpus": "books", "text": "Second line.", "title": "T", "url": "U", "lang": "en"},
        {"id": "d1#0", "corpus": "books", "text": "Other.", "title": "T", "url": "U", "lang": "en"},
    ]
    assert TEXT.records_per_row(result.kept) == [1, 0, 1]
    assert TEXT.samples_per_row(result.kept) == [1, 1, 1]


def test_documents_without_visible_text_are_rejected() -> None:
    result = TEXT.transform(raw("", "\n \u3000\n\u200b\ufeff", None, "ok"), "c", TextParams())
    assert [(r.id, r.where, r.reason, r.records) for r in result.rejected] == [
        ("d0", "f row 0", "empty_text", 1),
        ("d1", "f row 1", "empty_text", 1),
        ("d2", "f row 2", "empty_text", 1),
    ]
    assert result.kept["id"].to_pylist() == ["d3#0"]


def test_no_rows_give_no_rows() -> None:
    result = TEXT.transform(raw(), "c", TextParams())
    assert result.kept.num_rows == 0 and result.kept.schema.equals(TEXT.schema)


def test_missing_optional_columns_are_null() -> None:
    table = pa.table({"id": ["a"], "text": ["hello"]})
    assert TEXT.transform(table, "c", TextParams()).kept.to_pylist()[0]["title"] is None


@given(
    st.lists(
        st.text(st.one_of(st.sampled_from(COMMON), st.characters(exclude_categories=["Cs"])), max_size=300),
        max_size=6,
    ),
    st.integers(32, 90),
)
def test_nothing_is_lost_and_every_record_is_accounted_for(documents: list[str], budget: int) -> None:
    table = raw(*documents)
    result = TEXT.transform(table, "c", TextParams(max_line_chars=budget))
    assert sum(TEXT.records_per_row(result.kept)) + sum(r.records for r in result.rejected) == len(documents)
    for n, document in enumerate(documents):
        rows = [row for row in result.kept.to_pylist() if row["id"].startswith(f"d{n}#")]
        assert [row["id"] for row in rows] == [f"d{n}#{k}" for k in range(len(rows))]
        clean = " ".join(filter(None, (one_line(p) for p in document.split("\n"))))
        assert "".join(row["text"] for row in rows).replace(" ", "") == clean.replace(" ", "")
        if not any(mark in clean for mark in "。！？｡、，；："):
            assert " ".join(row["text"] for row in rows) == clean


def test_long_paragraphs_keep_their_place() -> None:
    long = " ".join(["word"] * 60) + "."
    result = TEXT.transform(raw(f"one\n{long}\ntwo", "three"), "c", TextParams(max_line_chars=100))
    texts = result.kept["text"].to_pylist()
    assert texts[0] == "one" and texts[-2:] == ["two", "three"]
    assert " ".join(texts[1:-2]) == long and len(texts) == 6
    assert max(map(len, texts)) <= 100


def test_no_line_is_over_the_byte_cap() -> None:
    result = TEXT.transform(raw("é" * MAX_LINE_BYTES), "c", TextParams())
    assert [len(t.encode()) for t in result.kept["text"].to_pylist()] == [MAX_LINE_BYTES, MAX_LINE_BYTES]


def test_many_slices_give_the_same_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    table = raw(*(f"Line {n}.\n{'x ' * n}" for n in range(50)), "", title="t")
    whole = TEXT.transform(table, "c", TextParams())
    monkeypatch.setattr("omni_ray.modalities.text._SLICE_BYTES", 64)
    sliced = TEXT.transform(table, "c", TextParams())
    assert sliced.kept.equals(whole.kept) and sliced.rejected == whole.rejected


def test_an_enormous_title_is_left_out() -> None:
    assert TEXT.transform(raw("x", title="t" * 5000), "c", TextParams()).kept["title"].to_pylist() == [None]


def test_the_line_budget_is_checked() -> None:
    with pytest.raises(OmniError, match="--max-line-chars 1: from 32"):
        TextParams(max_line_chars=1)


def test_the_schema_names_hugging_face_features() -> None:
    features = json.loads(TEXT.schema.metadata[b"huggingface"])["info"]["features"]
    assert features["text"] == {"dtype": "large_string", "_type": "Value"}
    assert list(features) == TEXT.schema.names


def test_what_readers_counted_is_added_up_and_said() -> None:
    table = raw("a", "b", "c")
    counts = pa.array(
        ['{"templates_shown_by_guess": 2}', None, '{"templates_shown_by_guess": 1, "sentences_left_out": 4}']
    )
    table = table.set_column(table.schema.get_field_index("counts"), "counts", counts)
    stats = TEXT.transform(table, "wikipedia", TextParams()).stats
    assert stats == {"templates_shown_by_guess": 3, "sentences_left_out": 4}
    (said,) = TEXT.warnings(3, stats, TextParams())
    assert "3 shown by their first words" in said and "lack of a word: 4" in said
    assert TEXT.transform(raw("a"), "books", TextParams()).stats == {} and not TEXT.warnings(1, {}, TextParams())
