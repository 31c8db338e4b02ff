"""Whatever the bytes are: verify numbers records as the trainers do, and what is clean passes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import reference_readers as trainers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sample_project import Project, make_project, rows_as_csv

from omni_ray.modalities.lines import one_line
from omni_ray.trainers.reading import Elements, NotAList
from omni_ray.verify.characters import is_blank
from omni_ray.verify.lines import LinesCheck
from omni_ray.verify.pieces import FileCheck
from omni_ray.verify.report import Finding, Notes
from omni_ray.verify.run import verify
from omni_ray.verify.seen import SeenStrings
from omni_ray.verify.tables import Table
from tests.examples import examples

quick = settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PIECES = [
    b"\n", b"\n", b"\r", b"\r\n", b"a", b"b c", b" ", b"\t", b"\0", b"\xff", b"\xe3\x81", "あ".encode(),
    "\u2028".encode(), "\x85".encode(), "\u200b".encode(), "\ufeff".encode(), "\U0001f600".encode(), "\xa0".encode(),
    "\u3000".encode(), b"\xed\xa0\x80", b"\x1c",
]  # fmt: skip


def judged(check: FileCheck) -> tuple[int, int, dict[str, list[Finding]]]:
    """Rows, lost rows and findings of one file."""
    for piece in check.pieces():
        check.absorb(piece.check())
    check.finish()
    return check.report.rows, check.report.lost, check.notes.findings("f")


@pytest.mark.slow
@quick
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=60), range_bytes=st.integers(1, 40))
def test_a_text_is_judged_alike_however_it_is_cut(pieces: list[bytes], range_bytes: int, tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(b"".join(pieces))
    whole = judged(LinesCheck("f", path))
    assert whole == judged(LinesCheck("f", path, range_bytes=range_bytes))
    assert whole[0] == len(trainers.lines(path))


@quick
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=60))
def test_a_text_without_findings_reaches_the_trainer_line_by_line(pieces: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_bytes(b"".join(pieces))
    _, lost, findings = judged(LinesCheck("f", path))
    if any(f.severity != "warning" for f in findings):
        return
    assert lost == 0
    written = path.read_bytes().decode().replace("\r\n", "\n").split("\n")
    assert [line.strip() for line in trainers.lines(path)] == [line.strip() for line in written if line]


@quick
@given(
    pieces=st.lists(
        st.sampled_from([b"wav", b",", b",", b'"', b'""', b"\n", b"\n", b"\r", b"a", b"\\", b"\xff", b"x" * 70_000]),
        max_size=40,
    )
)
def test_csv_rows_are_those_of_the_trainers(pieces: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "asr.csv"
    path.write_bytes(b"wav,text\n" + b"".join(pieces))
    notes = Notes("asr")
    table = Table(path, "asr", notes)
    mine = [(row.media, row.text) for row in table]
    try:
        theirs = [(row["wav"], row["text"]) for row in trainers.rows(path)]
    except csv.Error:
        assert "csv_error" in notes.counts
        return
    assert "csv_error" not in notes.counts
    assert mine == theirs
    assert table.rows == len(theirs)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@quick
@given(
    value=st.lists(JSON, max_size=5) | JSON,
    indent=st.none() | st.integers(0, 3),
    cut=st.none() | st.tuples(st.integers(0, 200), st.sampled_from(["", ",", "]", "}", "1", '"', "\ufeff", " "])),
    block=st.integers(1, 20),
)
def test_json_is_read_as_json_reads_it(
    value: object, indent: int | None, cut: tuple[int, str] | None, block: int
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=cut is None)
    if cut is not None:
        text = text[: cut[0]] + cut[1] + text[cut[0] + 1 :]
    data = text.encode("utf-8", "surrogatepass")
    try:
        theirs = json.loads(data.decode())
    except ValueError:
        with pytest.raises(ValueError):
            list(Elements(io.BytesIO(data), block=block))
        return
    if not isinstance(theirs, list):
        with pytest.raises(NotAList):
            list(Elements(io.BytesIO(data), block=block))
    else:
        assert repr(list(Elements(io.BytesIO(data), block=block))) == repr(theirs)


def test_json_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(ValueError):
        list(Elements(io.BytesIO(b"[" * 200_000)))


@pytest.fixture(scope="module")
def reused(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose flat files are written over and over, while its media stay."""
    return make_project(tmp_path_factory.mktemp("reused") / "project")


@settings(max_examples=examples(40), deadline=None)
@given(texts=st.lists(st.text(max_size=25), min_size=5, max_size=5))
def test_what_is_cleaned_passes(texts: list[str], reused: Project) -> None:
    # Beyond what cleaning takes for blank, there are characters that Unicode calls ignorable.
    clean = [text if not is_blank(text := one_line(each)) else f"text {i}" for i, each in enumerate(texts)]
    reused.lines = clean
    reused.clips = [[wav, text] for (wav, _), text in zip(reused.clips, clean, strict=True)]
    reused.words = [[image, text] for (image, _), text in zip(reused.words, clean, strict=True)]
    reused.captions = [
        {**old, "caption": text} for old, text in zip(reused.captions, clean, strict=True) if isinstance(old, dict)
    ]
    reused.write()
    findings = [f for f in verify(reused.root).findings if f.code != "ctc_infeasible"]
    assert findings == []


@quick
@given(batches=st.lists(st.lists(st.text("abcd", max_size=3), max_size=30), max_size=8))
def test_names_are_new_once(batches: list[list[str]]) -> None:
    seen, known = SeenStrings(), set()
    for batch in batches:
        new = seen.add(batch)
        for name, is_new in zip(batch, new, strict=True):
            assert is_new == (name not in known)
            known.add(name)


def test_rows_as_csv_is_the_format_of_the_contract() -> None:
    assert rows_as_csv([["wav", "text"], ["a.wav", 'x, "y"']]) == b'wav,text\na.wav,"x, ""y"""\n'
