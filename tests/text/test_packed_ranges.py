"""Large compressed files in ranges: the rows of the plain file, however it is cut; what is not sound is read whole."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions
from omni_ray.corpora.text_files import TextFiles
from omni_ray.corpora.wikipedia import Wikipedia
from omni_ray.sources import json_ahead, open_spec, open_tree, packed_ranges
from omni_ray.sources.packed_ranges import plain_size
from tests.examples import examples
from tests.text.test_packed import zstd

PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": lambda data: gzip.compress(data, 1),
    ".bz2": lambda data: bz2.compress(data, 1),
    ".xz": lambda data: lzma.compress(data, preset=0),
    ".zst": lambda data: zstd(data),
}
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


def read(folder: Path, corpus: Corpus, scale: float, **options: Any) -> tuple[list[dict[str, Any]], int]:
    """Every row, and every fault, as a worker reads them; and the number of units."""
    there = SourceOptions(unit_scale=scale, **options)
    tree = open_tree(folder, folder.parent / "cache")
    units = list(corpus.units(tree, there))
    worker = open_spec({**tree.spec(), "points": str(folder.parent / "cache")})
    found: list[dict[str, Any]] = []
    for unit in units:
        for item in corpus.read(worker, json.loads(json.dumps(unit.payload))):
            if isinstance(item, Rejected):
                found.append({"id": item.id, "where": item.where, "fault": item.reason, "records": item.records})
            else:
                found += item.to_pylist() if isinstance(item, pa.Table) else [item]
    return found, len(units)


def both(folder: Path, name: str, data: bytes, suffix: str, corpus: Corpus, scale: float, **options: Any) -> int:
    """Hold the packed file against the plain one; the number of units of the packed one."""
    results = []
    for place, file, content in (("plain", name, data), ("packed", name + suffix, PACK[suffix](data))):
        (folder / place).mkdir(parents=True, exist_ok=True)
        (folder / place / file).write_bytes(content)
        rows, units = read(folder / place, corpus, scale, **options)
        results.append([{k: v.replace(file, name) if k in ("id", "where") else v for k, v in r.items()} for r in rows])
    # What is rejected comes before the rows of its own unit.
    assert sorted(results[1], key=place_of) == sorted(results[0], key=place_of)
    return units


def place_of(row: dict[str, Any]) -> tuple[str, int]:
    file, _, place = row["id"].rpartition(":")
    return file, int(place)


def csv_row(text: str) -> str:
    return '"' + text.replace('"', '""') + '",7\n'


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Path]:
    """New folders, one after the other."""
    return (tmp_path / str(number) for number in range(10_000))  # type: ignore[return-value]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", PACK)
@given(texts=st.lists(ANY, min_size=12, max_size=30), step=st.integers(20, 200), bad=st.booleans())
@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_are_those_of_the_plain_file(
    places: Iterator[Path], suffix: str, texts: list[str], step: int, bad: bool
) -> None:
    lines = [json.dumps({"text": f"{n} {text}"}, ensure_ascii=n % 2 == 0) for n, text in enumerate(texts)]
    rows = ["text,n\n", *(csv_row(f"{n} {text}") for n, text in enumerate(texts))]
    quoted, plain = "".join(rows).encode(), "".join(f"{n},{n * n} text\n" for n in range(100)).encode()
    jsonl = "\n".join(lines).encode() + (b'\n{"text": \n{"text": "\xff"}\n' if bad else b"\n")
    text = "\n".join(text.replace("\n", " ") for text in texts).encode() + (b"\n\xff bad\n" if bad else b"")
    scale = step / packed_ranges._LARGE_BYTES
    files = [("a.jsonl", jsonl), ("a.txt", text * 3), ("a.csv", quoted), ("b.csv", b"n,text\n" + plain)]
    units = [both(next(places), name, data, suffix, TextFiles(), scale) for name, data in files]
    assert units[3] > 1


def dump(count: int) -> bytes:
    pages = (
        f"<page><title>P{n}</title><ns>0</ns><id>{n + 1}</id><revision><text>Page {n} says {n * n} words.</text></revision></page>\n"
        for n in range(count)
    )
    return f'<mediawiki xml:lang="en"><siteinfo></siteinfo>\n{"".join(pages)}</mediawiki>\n'.encode()


def test_pages_of_a_packed_wiki_are_those_of_the_plain_one(tmp_path: Path) -> None:
    for step in (100, 333, 1000):
        scale = step / packed_ranges._LARGE_BYTES
        for suffix in (".gz", ".zst"):
            assert both(tmp_path / f"{step}{suffix}", "x.xml", dump(200), suffix, Wikipedia(), scale) > 10


def lines(count: int) -> bytes:
    return b"".join(b'{"text": "line %d, %d"}\n' % (n, n * n * n) for n in range(count))


@pytest.mark.parametrize("suffix", PACK)
def test_small_files_are_one_unit_as_ever(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"a.jsonl{suffix}").write_bytes(PACK[suffix](lines(1000)))
    assert read(tmp_path / "in", TextFiles(), 1.0)[1] == 1
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("damage", ["cut", "cut in the end mark", "behind", "zeros", "flipped"])
def test_what_is_not_sound_costs_what_it_costs_read_whole(tmp_path: Path, suffix: str, damage: str) -> None:
    data = bytearray(PACK[suffix](lines(10_000)))
    if damage == "flipped":
        data[len(data) * 9 // 10] ^= 0x10
        data = bytearray(PACK[suffix](lines(60_000))) + data
    ends = {"cut": data[: len(data) // 2], "cut in the end mark": data[:-3], "behind": data + b"garbage"}
    data = ends.get(damage, data + bytes(512) if damage == "zeros" else data)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"a.jsonl{suffix}").write_bytes(data)
    whole = read(tmp_path / "in", TextFiles(), 1.0)
    rows, units = read(tmp_path / "in", TextFiles(), 5e-5)
    assert sorted(rows, key=place_of) == sorted(whole[0], key=place_of)
    assert units > 20 and whole[1] == 1
    if not any("fault" in row for row in rows):
        assert damage == "zeros" or (damage, suffix) == ("flipped", ".zst")  # whose frames may have no checksums


def test_streams_behind_each_other_and_one_within_another(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "a.jsonl.gz"
    file.write_bytes(gzip.compress(lines(3000)) + gzip.compress(b"") + gzip.compress(lines(3000)))
    rows, units = read(tmp_path / "in", TextFiles(), 1e-4)
    assert [row["text"] for row in rows] == [f"line {n}, {n * n * n}" for n in range(3000)] * 2
    assert units > 50
    file.write_bytes(gzip.compress(gzip.compress(lines(3000))))
    assert plain_size(open_tree(tmp_path / "in", tmp_path / "cache"), file.name, SourceOptions(unit_scale=1e-4)) is None


def test_seek_points_are_kept_held_against_their_digest_and_found_anew(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "a.jsonl.gz"
    file.write_bytes(gzip.compress(lines(3000)))
    first = read(tmp_path / "in", TextFiles(), 1e-4)
    [points] = (tmp_path / "cache").rglob("*.points")
    packed_ranges._content.cache_clear()
    assert read(tmp_path / "in", TextFiles(), 1e-4) == first
    assert list((tmp_path / "cache").rglob("*.points")) == [points]
    points.write_bytes(points.read_bytes()[:-1] + b"x")
    packed_ranges._content.cache_clear()
    assert read(tmp_path / "in", TextFiles(), 1e-4) == first
    file.write_bytes(gzip.compress(lines(3500)))
    assert len(read(tmp_path / "in", TextFiles(), 1e-4)[0]) == 3500
    assert len(list((tmp_path / "cache").rglob("*.points"))) == 1  # those of the file as it was are gone


CUT: dict[str, tuple[bytes, Corpus]] = {
    "a.csv": (("text,n\n" + "".join(csv_row(f'{n} "words"\nand {n * n}') for n in range(3000))).encode(), TextFiles()),
    "a.json": (json.dumps([{"text": f"line {n}, {n * n * n}"} for n in range(3000)]).encode(), TextFiles()),
    "x.xml": (dump(2000), Wikipedia()),
}


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
@pytest.mark.parametrize("name", CUT)
def test_what_a_cut_file_costs_in_ranges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, suffix: str
) -> None:
    monkeypatch.setattr(json_ahead, "_STRETCH_BYTES", 1000)
    (data, corpus), pack = CUT[name], PACK[suffix]
    (tmp_path / "in").mkdir()
    for share in (0.5, 0.77):
        packed = pack(data)
        (tmp_path / "in" / f"{name}{suffix}").write_bytes(packed[: int(len(packed) * share)])
        whole, _ = read(tmp_path / "in", corpus, 1.0)
        rows, units = read(tmp_path / "in", corpus, 1e-4)
        # Where a page begins is said of the megabyte around it, which is another one in each unit.
        hidden = ("where", "id") if name == "x.xml" else ()
        found = [sorted(str({k: v for k, v in r.items() if k not in hidden}) for r in each) for each in (rows, whole)]
        assert found[0] == found[1] and units > 5
        assert [row["fault"] for row in rows if "fault" in row].count("truncated") >= 1
