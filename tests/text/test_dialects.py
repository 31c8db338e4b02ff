"""CSV and TSV as people's programs write them: read back exactly, or rejected row by row."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omni_ray.errors import SourceError
from tests.examples import examples
from tests.text.test_tables import faults, read

WORDS = [
    "plain words",
    "with, a comma",
    "semi; colon",
    'said "so"',
    "a\ttab",
    "two\nlines",
    "bar | bar",
    "1,5",
    "C:\\dir",
    "é ß 山",
]
FIELD = (
    st.lists(st.sampled_from([*WORDS, '"', "'", "\\", ";", ",", "|"]), min_size=1, max_size=4)
    .map(" ".join)
    .map(str.strip)
)
TABLE = st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=12)
MINIMAL, ALL, NONNUMERIC, NONE = csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC, csv.QUOTE_NONE


def put(folder: Path, name: str, text: str, codec: str = "utf-8") -> None:
    (folder / name).write_bytes(text.encode(codec))


def written(rows: list[tuple[str, ...]], **style: Any) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, **style).writerows(rows)
    return buffer.getvalue()


@pytest.mark.slow
@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    TABLE, st.sampled_from([",", ";", "\t", "|"]), st.sampled_from([MINIMAL, ALL, NONNUMERIC]),
    st.sampled_from(["\n", "\r\n"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]), st.integers(1, 60),
)  # fmt: skip
def test_what_writers_write_is_read_back_or_rejected(
    tmp_path: Path, rows: list[tuple[str, str]], delimiter: str, quoting: int, end: str, codec: str, step: int
) -> None:
    name = "t.tsv" if delimiter == "\t" else "t.csv"
    for each in tmp_path.iterdir():
        each.unlink()
    text = written([("text", "title"), *rows], delimiter=delimiter, quoting=quoting, lineterminator=end)
    put(tmp_path, name, text, codec)
    found, rejected = read(tmp_path, unit_scale=step / (16 << 20) * 1.000001)
    wrong = [(row["text"], row["title"]) for row in found if (row["text"], row["title"]) not in rows]
    assert not wrong and len(found) + len(rejected) >= len(rows)
    if delimiter in ",;" or quoting != MINIMAL:
        assert [(row["text"], row["title"]) for row in found] == rows and not rejected


@pytest.mark.slow
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(TABLE)
def test_backslashes_before_quotation_marks(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    rows = [('It is "so".', "A"), *rows]  # without one nothing tells that backslashes mean anything
    put(tmp_path, "t.csv", written([("text", "title"), *rows], doublequote=False, escapechar="\\", quoting=ALL))
    found, rejected = read(tmp_path)
    assert not [row for row in found if (row["text"], row["title"]) not in rows]
    assert len(found) + len(rejected) >= len(rows)


def test_pandas_tabs_and_quotation_marks(tmp_path: Path) -> None:
    texts = ['He said "so".', "two\nlines", "a\ttab", "plain", '"Quoted" it was.']
    pd.DataFrame({"id": range(5), "text": texts}).to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    found, rejected = read(tmp_path)
    assert [row["text"] for row in found] == texts and not rejected


def test_spark_leaves_other_backslashes_alone(tmp_path: Path) -> None:
    put(tmp_path, "t.csv", 'id,text\n0,"He said \\"so\\" in C:\\new."\n1,plain\\text\n2,"x, y"\n')
    found, rejected = read(tmp_path)
    assert [row["text"] for row in found] == ['He said "so" in C:\\new.', "plain\\text", "x, y"] and not rejected


@pytest.mark.parametrize("delimiter", ["\t", "|"])
def test_plain_quotation_marks(tmp_path: Path, delimiter: str) -> None:
    texts = [
        '"Well," he said, "come in."',
        '"Unbalanced, he said',
        'An inch is 1" long.',
        "plain",
        '"Whole."',
        'He said "so".',
    ]
    name = "t.tsv" if delimiter == "\t" else "t.csv"
    put(tmp_path, name, f"text{delimiter}title\n" + "".join(f"{text}{delimiter}A\n" for text in texts))
    found, rejected = read(tmp_path)
    assert [row["text"] for row in found] == texts and not rejected


TABLES = {
    "a trailing comma": "id,text\n0,one,\n1,two,\n",
    "a trailing comma in the header": "id,text,\n0,one\n1,two\n",
    "trailing everywhere": "id,text,\n0,one,\n1,two,\n",
    "a comma in a column's name": "id;text;price, EUR\n0;one;1,5\n1;two;1,5\n",
    "Excel's line": "sep=;\nid;text\n0;one\n1;two\n",
    "Excel's line, and CRLF": "sep=;\r\nid;text\r\n0;one\r\n1;two\r\n",
    "Macs": "id,text\r0,one\r1,two\r",
    "one column": "text\none\ntwo\n",
    "bars": "id|text\n0|one\n1|two\n",
    "tabs in a .csv": "id\ttext\n0\tone\n1\ttwo\n",
    "a name in quotation marks": '"id","text"\n0,one\n1,two\n',
    "blank lines": "id,text\n\n0,one\n\n1,two\n\n",
}


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("kind", TABLES)
def test_what_exporters_do(tmp_path: Path, kind: str, codec: str) -> None:
    put(tmp_path, "t.csv", TABLES[kind], codec)
    for scale in (1.0, 1e-7):
        found, rejected = read(tmp_path, unit_scale=scale)
        assert [row["text"] for row in found] == ["one", "two"] and not rejected


def test_one_column_has_no_delimiter(tmp_path: Path) -> None:
    put(tmp_path, "t.csv", 'text\nred, green; blue\n"quoted, ""so"""\n')
    assert [row["text"] for row in read(tmp_path)[0]] == ["red, green; blue", 'quoted, "so"']


def test_a_table_of_another_encoding(tmp_path: Path) -> None:
    texts = [f"Le café numéro {n} était fermé." for n in range(20)]
    put(tmp_path, "t.csv", "id;text\r\n" + "".join(f"{n};{text}\r\n" for n, text in enumerate(texts)), "cp1252")
    assert [row["text"] for row in read(tmp_path)[0]] == texts
    put(tmp_path, "t.csv", "id;text\n0;d\xe9j\xe0\n1;plain\n", "cp1252")
    found, rejected = read(tmp_path)
    assert [row["text"] for row in found] == ["plain"] and [r.reason for r in rejected] == ["bad_encoding"]
    assert "--encoding" in rejected[0].detail
    assert [row["text"] for row in read(tmp_path, encoding="cp1252")[0]] == ["d\xe9j\xe0", "plain"]


def test_without_a_header_the_first_row_is_never_lost(tmp_path: Path) -> None:
    put(tmp_path, "t.csv", '"1","Title 0","A sentence of words."\n"2","Title 1","Another sentence."\n')
    with pytest.raises(
        SourceError, match=r"t\.csv: its first line .* looks like a record.*--no-header --columns text=3"
    ):
        read(tmp_path)
    found, rejected = read(tmp_path, header=False, columns={"text": "3", "title": "2"})
    assert [(row["title"], row["text"]) for row in found] == [
        ("Title 0", "A sentence of words."), ("Title 1", "Another sentence."),
    ]  # fmt: skip
    assert not rejected
    with pytest.raises(SourceError, match=r"no column 4; it has 1, 2, 3"):
        read(tmp_path, header=False, columns={"text": "4"})


def test_short_and_long_rows_cost_themselves(tmp_path: Path) -> None:
    put(tmp_path, "t.csv", "id,text,title\n1,a,A\n2,short\n3,too,many,fields\n4,d,D\n")
    found, rejected = read(tmp_path)
    assert [row["text"] for row in found] == ["a", "d"] and [reason for _, reason in faults(rejected)] == [
        "bad_row"
    ] * 2
    assert all("the header has 3 columns" in r.detail for r in rejected)


@pytest.mark.parametrize(
    "before",
    ["\n", "\n\n \n", "# made by a program\n", "# a, text\n#\n\n", "# \"half\n# it's\n", "\r\n# x\r\n", "sep=,\n# x\n"],
)
@pytest.mark.parametrize("step", [1.0, 1e-7])
def test_blank_lines_and_comments_before_the_header(tmp_path: Path, before: str, step: float) -> None:
    rows = [(f"d{n}", f"text {n}, with\na line end" if n % 3 else f"# {n} is a text") for n in range(20)]
    put(tmp_path, "t.csv", before + written([("id", "text"), *rows], lineterminator="\n"))
    found, rejected = read(tmp_path, unit_scale=step)
    assert [(row["id"], row["text"]) for row in found] == rows and not rejected


def test_a_header_that_begins_like_a_comment(tmp_path: Path) -> None:
    put(tmp_path, "t.tsv", "# by hand\n#id\ttext\n1\tone\n2\ttwo\n")
    found, rejected = read(tmp_path)
    assert [row["text"] for row in found] == ["one", "two"] and not rejected


def test_comments_before_a_table_without_a_header(tmp_path: Path) -> None:
    put(tmp_path, "t.csv", "# one comment\n\n1,one\n2,two\n")
    found, rejected = read(tmp_path, header=False, columns={"text": "2"})
    assert [row["text"] for row in found] == ["one", "two"] and not rejected
    put(tmp_path, "t.csv", "#1,one\n2,two\n")
    found, rejected = read(tmp_path, header=False, columns={"text": "2"})
    assert [row["text"] for row in found] == ["one", "two"] and not rejected


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quoting", [ALL, NONNUMERIC])
@pytest.mark.parametrize("step", [1.0, 1e-7])
def test_single_quotation_marks(tmp_path: Path, delimiter: str, quoting: int, step: float) -> None:
    rows = [(f"{word} it's {n}", f"d{n}") for n, word in enumerate(WORDS * 3)]
    name = "t.tsv" if delimiter == "\t" else "t.csv"
    text = written([("text", "id"), *rows], delimiter=delimiter, quoting=quoting, quotechar="'")
    put(tmp_path, name, text)
    found, rejected = read(tmp_path, unit_scale=step)
    assert [(row["text"], row["id"]) for row in found] == rows and not rejected
    put(tmp_path, name, text.replace("'text'", "text").replace("'id'", "id"))
    assert [row["text"] for row in read(tmp_path)[0]] == [text for text, _ in rows]


def test_tables_that_cat_joined(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", "id,text\n1,one\n2,two\nid,text\n3,three\n")
    put(tmp_path, "b.csv", "text\none\ntext\n")
    rows, rejected = read(tmp_path)
    assert [row["text"] for row in rows] == ["one", "two", "three", "one", "text"]
    assert [reason for _, reason in faults(rejected)] == ["bad_row"]


def test_blanks_before_quotation_marks(tmp_path: Path) -> None:
    put(tmp_path, "a.csv", 'id, text\n1, "Well, he said ""so"""\n2, "two\nlines"\n3, bare words\n')
    put(tmp_path, "b.csv", 'id; text\n1; "no delimiter in it"\n')
    put(tmp_path, "c.csv", 'id,text\n1, "Yes," she said\n2, No "one" knows\n')
    rows, rejected = read(tmp_path)
    assert [row["text"].strip() for row in rows] == [
        *('Well, he said "so"', "two\nlines", "bare words", "no delimiter in it", 'No "one" knows'),
    ]
    assert [reason for _, reason in faults(rejected)] == ["bad_row"]


def test_apostrophes_are_text(tmp_path: Path) -> None:
    texts = ["'tis the season", "the dogs'", "'Well,' he said", "rock 'n' roll", "'quoted'", "'a' and 'b'"]
    put(tmp_path, "t.csv", written([("id", "text"), *((str(n), text) for n, text in enumerate(texts))]))
    found, rejected = read(tmp_path)
    assert [row["text"] for row in found] == texts and not rejected
