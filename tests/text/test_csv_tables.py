"""Tables in CSV and TSV: quoting, and bad rows that cost themselves only."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from table_rows import read

from omni_ray.records import CHATS
from tests.examples import examples


def test_bad_csv_rows_cost_themselves_only(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(
        b"id,text,title\n"
        b"1,first,A\n"
        b"2,short\n"
        b"3,too,many,fields\n"
        b"4,latin \xe9,B\n"
        b"5,,C\n"
        b'6,"never closed,D\n'
        b'7,5" disk,E\n'
        b'8,"two\nlines",F\n'
        b"\n"
        b'9,"cut'
    )  # fmt: skip
    for scale in (1.0, 1e-6):
        rows, rejected = read(tmp_path, unit_scale=scale)
        assert [(r["id"], r["text"]) for r in rows] == [("1", "first"), ("7", '5" disk'), ("8", "two\nlines")]
        assert sorted(r.reason for r in rejected) == ["bad_encoding"] + ["bad_row"] * 4 + ["missing_text"]
        assert [r.id for r in rejected if r.reason == "missing_text"] == ["5"]


def test_a_tsv_has_no_quoting(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text('text\ttitle\n"Unbalanced\tA\nsaid "so"\tB\n')
    rows, rejected = read(tmp_path)
    assert [row["text"] for row in rows] == ['"Unbalanced', 'said "so"'] and not rejected


FIELD = st.text(st.sampled_from("ab,\";\n\r 'é"), max_size=8)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(FIELD.map(lambda s: "x" + s), FIELD), min_size=1, max_size=20), st.integers(1, 60))
def test_what_the_csv_module_writes_is_read_back(tmp_path: Path, rows: list[tuple[str, str]], step: int) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([("text", "title"), *rows])
    (tmp_path / "t.csv").write_bytes(buffer.getvalue().encode())
    found, rejected = read(tmp_path, unit_scale=step / (16 << 20) * 1.000001)
    assert [(row["text"], row["title"] or "") for row in found] == rows and not rejected


def test_all_columns_are_read_in_the_order_of_the_header(tmp_path: Path) -> None:
    header = ["d", "c", "a", "b", "a"]
    (tmp_path / "t.csv").write_text(",".join(header) + "\none,two,three,four,five\n")
    rows, _ = read(tmp_path, {"text": ("text", CHATS)}, columns={"text": "*"})
    assert [row["text"] for row in rows] == ["one\ntwo\nthree\nfour\nfive"]


def test_marks_of_two_rows_of_a_tsv_do_not_swallow_what_is_between_them(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text('id\ttext\n1\t"a\n2\tb\n3\tc"\n4\td\n')
    rows, rejected = read(tmp_path)
    assert [row["text"] for row in rows] == ['"a', "b", 'c"', "d"] and not rejected
    (tmp_path / "t.tsv").write_text('id\ttext\n1\t"a\nb"\n2\t"c ""d"""\n')
    assert [row["text"] for row in read(tmp_path)[0]] == ["a\nb", 'c "d"']
    (tmp_path / "t.tsv").write_text('id\ttext\n1\t"""a""\nb\tc"\n2\t"""d""\ne\tf"\n')
    assert [row["text"] for row in read(tmp_path)[0]] == ['"a"\nb\tc', '"d"\ne\tf']
