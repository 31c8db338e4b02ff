"""Counting files as the trainers read them, in parts, and never from a stale cache."""

from __future__ import annotations

import csv
import io
import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_project import write_csv

from omni_ray.errors import OmniError
from omni_ray.trainers.files import IMAGE, LABEL, TRANSCRIPT, WAV
from omni_ray.trainers.lines import read_lines, split_lines
from omni_ray.training import counts as module
from omni_ray.training.cache import CountCache
from omni_ray.training.clips import ClipsUnit, even_sample, look_at
from omni_ray.training.counts import CountedSource, Counts, count, units_of
from omni_ray.training.skipped_rows import numbers_in
from omni_ray.training.tokenizer import TokenizerRequest, train
from omni_ray.training.tokens import TokenCounter
from tests.examples import examples

LINE_PIECES = st.sampled_from(["a", "bc", " ", "\n", "\r", "\r\n", "é", "\x00", "\u2028", "\x0c", "\ufeff"])


def as_trainers_read(data: bytes) -> list[str]:
    with io.TextIOWrapper(io.BytesIO(data), "utf-8", errors="ignore") as file:
        return [line.strip() for line in file]


@settings(deadline=None)
@given(st.lists(LINE_PIECES, max_size=60).map("".join), st.integers(1, 9), st.binary(max_size=5))
@example("\n\r", 1, b"\x80")
def test_every_line_is_counted_once_whatever_the_ranges(
    tmp_path_factory: pytest.TempPathFactory, text: str, step: int, junk: bytes
) -> None:
    data = text.encode() + junk + text.encode()
    path = tmp_path_factory.mktemp("text") / "corpus.txt"
    path.write_bytes(data)
    lines = []
    for start in range(0, len(data), step):
        lines += split_lines(read_lines(str(path), start, min(start + step, len(data))))
    assert [line.strip() for line in lines] == as_trainers_read(data)


def small_ranges(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(module, "RANGE_BYTES", size)


def counted(source: CountedSource, tokenizer: bytes = b"", ctx_len: int = 512) -> Counts:
    total = Counts()
    for unit in units_of(source):
        outcome = count(replace(unit, tokenizer=tokenizer, ctx_len=ctx_len))
        assert not outcome.problem, outcome.problem
        total += outcome.counts
    return total


def gaps_in(counts: Counts) -> list[int]:
    return [int(number) for numbers in numbers_in(counts.gaps) for number in numbers]


def test_text_corpus(tmp_path: Path, books: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(books[:1000]) + "\n\n   \n", encoding="utf-8")
    source = CountedSource("text", str(path))
    model = train(TokenizerRequest(source, 1000)).model
    whole = counted(source, model, 40)
    small_ranges(monkeypatch, 10_007)
    parts = counted(source, model, 40)
    tokens = TokenCounter(model).processor.encode(books[:1000])
    assert gaps_in(parts) == gaps_in(whole) == [1000, 1001]
    assert replace(parts, gaps=whole.gaps) == whole
    assert (whole.rows, whole.usable) == (1002, 1000)
    assert whole.tokens == sum(map(len, tokens))
    assert whole.cut_rows == sum(len(ids) > 39 for ids in tokens)
    assert whole.unseen_tokens == sum(max(0, len(ids) - 39) for ids in tokens)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=12), st.text(max_size=12)), max_size=20))
def test_csv_as_the_trainers_read_it(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    rows = [tuple(field.encode("utf-8", "ignore").decode() for field in row) for row in rows]  # type: ignore[misc]
    path = tmp_path_factory.mktemp("csv") / "asr.csv"
    write_csv(path, ("wav", "text"), rows)
    with open(path, encoding="utf-8", errors="ignore") as file:
        read = list(csv.DictReader(file))
    made = counted(CountedSource("csv", str(path), TRANSCRIPT, WAV))
    # A lone carriage return ends a row, and leaves one that lacks a column.
    whole = [row for row in read if row["wav"] is not None and row["text"] is not None]
    texts = [row["text"].strip() for row in whole if row["wav"].strip()]
    assert (made.rows, made.usable, made.fatal) == (len(read), len(texts), len(read) - len(whole))
    assert gaps_in(made) == [number for number, row in enumerate(read) if row not in whole or not row["wav"].strip()]
    assert made.characters == "".join(sorted(set("".join(texts))))
    assert sum(n for _, n in made.lengths) == sum(bool(text) for text in texts)


def test_csv_column_order_quotes_and_short_rows(tmp_path: Path) -> None:
    path = tmp_path / "tts.csv"
    path.write_text('text,wav,more\n"a, ""b""\nc",x.wav,1\nshort\n,blank.wav,\n', encoding="utf-8")
    made = counted(CountedSource("csv", str(path), TRANSCRIPT, WAV))
    assert (made.rows, made.usable, made.fatal) == (3, 2, 1)
    assert made.longest == len('a, "b"\nc')
    label = tmp_path / "ocr.csv"
    label.write_text("img,label\na.png, X \nb.png\n", encoding="utf-8")
    made = counted(CountedSource("csv", str(label), LABEL, IMAGE))
    # A missing label is a blank one to the OCR trainer.
    assert (made.rows, made.usable, made.longest, made.characters) == (2, 2, 3, " X")


CSV_PIECES = st.sampled_from(
    [b"a", b"bc", b",", b'"', b'""', b'"x, ""y""\nz"', b"\n", b"\r\n", b"\r", b" ", "é".encode(), b"\xe9", b"\xff"]
)


@pytest.mark.slow
@settings(deadline=None, max_examples=examples(400))
@given(st.lists(CSV_PIECES, max_size=50), st.integers(1, 40), st.sampled_from([TRANSCRIPT, ()]))
def test_parts_of_a_csv_file_make_the_whole(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], step: int, column: tuple[str, ...]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "asr.csv"
    path.write_bytes(b"wav,text\n" + b"".join(pieces))
    source = CountedSource("csv", str(path), column, WAV)
    whole = counted(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "RANGE_BYTES", step)
        parts = counted(source)
    assert gaps_in(parts) == gaps_in(whole)
    assert replace(parts, gaps=()) == replace(whole, gaps=())


def test_a_large_csv_file_is_cut_between_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "asr.csv"
    write_csv(path, ("wav", "text"), [(f"{n}.wav", f'he said "no, {n}"\nand left') for n in range(500)])
    source = CountedSource("csv", str(path), TRANSCRIPT, WAV)
    small_ranges(monkeypatch, 1000)
    assert len(units_of(source)) > 15
    # A quote inside an unquoted field is a letter, so counting quotes tells nothing about line breaks.
    path.write_text(path.read_text() + 'x.wav,5" long\n')
    assert len(units_of(source)) == 1
    assert counted(source).rows == 501


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\xef\xbb\xbfwav,text\na,b\n", "byte order mark"),
        (b"WAV,TEXT\na,b\n", "no column wav"),
        (b"wav\ttext\na\tb\n", "no column wav"),
        (b"", "no column wav"),
        (b"wav,text\na," + b"x" * 140_000 + b"\n", "field larger than"),
    ],
)
def test_csv_that_would_lose_every_row(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "asr.csv"
    path.write_bytes(data)
    problem = count(units_of(CountedSource("csv", str(path), TRANSCRIPT, WAV))[0]).problem
    assert said in problem and str(path) in problem and "\n" not in problem


def test_captions(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(
        '[{"image": "a", "caption": "one two"}, {"image": "b"}, null, {"image": "c", "caption": 3}, '
        '{"image": null, "caption": "x"}, {"caption": "ü", "image": "d"}]',
        encoding="utf-8",
    )
    made = counted(CountedSource("json", str(path)))
    assert (made.rows, made.usable, made.fatal, made.imageless) == (6, 2, 1, 2)
    assert gaps_in(made) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"images": []}', "not a JSON list"),
        (b'\xef\xbb\xbf[{"image": "a", "caption": "b"}]', "byte order mark"),
        (b'[{"image": "a", "caption": "b"},]', "not valid JSON"),
        (b'[{"image": "a", "capt', "not valid JSON"),
        (b'[{"image": "a", "caption": "\xe9"}]', "not valid JSON"),
        (b'{"image": "a", "caption": "b"}\n{"image": "c", "caption": "d"}\n', "not a JSON list"),
        (b"", "not a JSON list"),
    ],
)
def test_manifest_that_the_trainers_cannot_read(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    problem = count(units_of(CountedSource("json", str(path)))[0]).problem
    assert said in problem and "\n" not in problem


def test_a_file_that_vanishes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a\n")
    (unit,) = units_of(CountedSource("text", str(path)))
    path.unlink()
    assert "no such file" in count(unit).problem


def test_an_endless_line_is_no_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omni_ray.trainers.lines._MAX_READ_BYTES", 1000)
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 5000)
    with pytest.raises(OmniError, match="not a corpus of lines"):
        read_lines(str(path), 0, 100)


# --- cache ---


def saved(cache: CountCache, units: list[module.CountItem]) -> CountCache:
    for unit in units:
        cache.add(unit, count(unit))
    cache.save()
    return cache


def test_a_changed_file_is_counted_again_even_with_the_same_size_and_times(tmp_path: Path) -> None:
    path, cache_file = tmp_path / "a.txt", tmp_path / "cache.json"
    source = CountedSource("text", str(path))
    path.write_text("one\ntwo\n")
    times = os.stat(path)
    (unit,) = units_of(source)
    first = count(unit)
    saved(CountCache(cache_file), [unit])
    path.write_bytes(b"one two\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert os.stat(path).st_size == times.st_size
    known = CountCache(cache_file).find(unit)
    again = count(replace(unit, known=known))
    assert (first.counts.rows, again.counts.rows) == (2, 1)


def test_unchanged_bytes_are_not_counted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_ranges(monkeypatch, 50)
    path = tmp_path / "a.txt"
    path.write_text("".join(f"line {n}\n" for n in range(40)))
    source, cache = CountedSource("text", str(path)), CountCache(tmp_path / "c.json")
    units = units_of(source)
    saved(cache, units)
    with open(path, "a") as file:
        file.write("one more\n")
    calls: list[int] = []
    real = module._tally

    def watched(unit: module.CountItem, texts: Iterator[str], *, characters: bool) -> Counts:
        calls.append(unit.start)
        return real(unit, texts, characters=characters)

    monkeypatch.setattr(module, "_tally", watched)
    again = [replace(unit, known=CountCache(cache.path).find(unit)) for unit in units_of(source)]
    total = sum((count(unit).counts for unit in again), Counts())
    assert total.rows == 41
    assert min(calls) >= len("".join(f"line {n}\n" for n in range(40))) - 50


def test_another_tokenizer_or_context_makes_a_count_stale(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one two three\n" * 50)
    cache = CountCache(tmp_path / "c.json")
    (unit,) = units_of(CountedSource("text", str(path)))
    unit = replace(unit, tokenizer=train(TokenizerRequest(unit.source, 40)).model, ctx_len=4)
    saved(cache, [unit])
    assert cache.find(unit) is not None
    assert cache.find(replace(unit, ctx_len=5)) is None
    assert cache.find(replace(unit, tokenizer=train(TokenizerRequest(unit.source, 20)).model)) is None


def test_rows_without_tokens_do_not_replace_tokens(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("one two three\n" * 50)
    (unit,) = units_of(CountedSource("text", str(path)))
    with_tokens = replace(unit, tokenizer=train(TokenizerRequest(unit.source, 40)).model, ctx_len=4)
    cache = saved(saved(CountCache(tmp_path / "c.json"), [with_tokens]), [unit])
    known = CountCache(cache.path).find(with_tokens)
    assert known is not None and known[1].tokens > 0


def test_ranges_that_are_gone_are_forgotten_and_other_files_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_ranges(monkeypatch, 50)
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("line\n" * 40)
    cache = CountCache(tmp_path / "c.json")
    long, other = (units_of(CountedSource("text", str(tmp_path / name))) for name in ("a.txt", "b.txt"))
    saved(cache, [*long, *other])
    (tmp_path / "a.txt").write_text("line\n" * 10)
    short = units_of(CountedSource("text", str(tmp_path / "a.txt")))
    cache.keep_only(short)
    assert [cache.find(unit) is not None for unit in long] == [True, False, False, False]
    assert all(cache.find(unit) is not None for unit in other)


@pytest.mark.parametrize("data", [b"", b"junk", b"[]", b'{"format": 2}', b'{"format": 2, "sources": {"x": 3}}'])
def test_a_broken_cache_is_an_empty_one(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "c.json").write_bytes(data)
    (tmp_path / "a.txt").write_text("a\n")
    (unit,) = units_of(CountedSource("text", str(tmp_path / "a.txt")))
    assert CountCache(tmp_path / "c.json").find(unit) is None


# --- clips ---


def test_clips_are_looked_at_by_their_headers(project: Path) -> None:
    rows = [("data/audio/clips/0.flac", "a" * 12), ("data/audio/clips/0.flac", "b" * 13), ("no/such.wav", "x")]
    write_csv(project / "x.csv", ("wav", "text"), [(path, text.replace("bb", "bc")) for path, text in rows])
    clips = look_at(ClipsUnit(str(project / "x.csv"), str(project)))
    assert (clips.rows, clips.looked_at, clips.missing, clips.first_missing) == (3, 3, 1, "no/such.wav")
    # One second is 101 mel frames, 12 output frames; equal neighbours need a blank between them.
    assert clips.infeasible == {8: 2, 4: 0, 2: 0}
    assert (clips.longest, clips.is_longest_of_all) == (16_000, True)
    assert [list(numbers) for numbers in numbers_in(clips.dropped)] == [[2]]
    assert clips.percentile(95) == 16_000


@given(st.lists(st.booleans(), max_size=300), st.integers(2, 40))
def test_even_sample(tmp_path_factory: pytest.TempPathFactory, named: list[bool], limit: int) -> None:
    path = tmp_path_factory.mktemp("sample") / "a.csv"
    write_csv(path, ("wav", "text"), [(str(n) if has_clip else "", "x") for n, has_clip in enumerate(named)])
    total, sample = even_sample(str(path), limit)
    rows = [n for n, has_clip in enumerate(named) if has_clip]
    assert total == len(rows)
    assert all(str(row) == wav for row, wav, _ in sample)
    places = [rows.index(row) for row, _, _ in sample]
    assert min(len(rows), limit // 2) <= len(places) <= limit
    steps = {b - a for a, b in itertools.pairwise(places)}
    assert len(steps) <= 1 and (not places or places[0] == 0)
