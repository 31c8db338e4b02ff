"""MediaWiki exports: the real one, and damaged, hostile and re-sliced ones."""

from __future__ import annotations

import bz2
import gzip
import random
import re
from collections import Counter
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from omni_ray.corpora.base import Rejected, SourceOptions
from omni_ray.corpora.wikipedia import Wikipedia
from omni_ray.errors import SourceError
from omni_ray.modalities.base import Transformed
from omni_ray.modalities.text import Text, TextParams
from omni_ray.sources import mediawiki, packed
from omni_ray.sources.tree import FolderTree
from tests.text.units import read_units

CORPUS = Wikipedia()
read = partial(read_units, CORPUS)
HEAD = '<mediawiki xml:lang="de"><siteinfo><base>https://de.wikipedia.org/wiki/Haupt</base></siteinfo>\n'


def page(number: int, text: str, title: str = "", extra: str = "", namespace: int = 0) -> str:
    return (
        f"<page><title>{title or f'P{number}'}</title><ns>{namespace}</ns><id>{number}</id>{extra}"
        f'<revision><id>9</id><text xml:space="preserve">{text}</text></revision></page>\n'
    )


def write(folder: Path, *pages: str, name: str = "dump.xml") -> FolderTree:
    (folder / name).write_text(HEAD + "".join(pages) + "</mediawiki>", encoding="utf-8")
    return FolderTree(folder)


def reasons(rejected: list[Rejected]) -> dict[str, int]:
    return dict(Counter(r.reason for r in rejected))


# Counted in the file with grep: 17 <page>; <ns>0 13 times, 1 twice, 10 and 14 once each; 3 <redirect>; one
# {{disambiguation}}. So 13 - 3 - 1 = 9 articles.
def test_a_dump_of_public_domain_text(corpora: Path) -> None:
    rows, rejected = read(FolderTree(corpora / "wikipedia"))
    assert (len(rows), reasons(rejected)) == (9, {"redirect": 3, "other_namespace": 4, "disambiguation": 1})
    preamble, articles = rows[0], [row["title"] for row in rows[1:8]]
    assert (preamble["id"], preamble["title"], preamble["lang"]) == ("10", "Preamble to the Constitution", "en")
    assert preamble["url"] == "https://en.wikipedia.org/wiki/Preamble_to_the_Constitution"
    [sentence] = preamble["text"].split("\n")
    assert sentence.startswith("We the People of the United States, in Order to form a more perfect Union, establish")
    assert sentence.endswith("do ordain and establish this Constitution for the United States of America.")
    assert articles == [f"Article {name}" for name in ("One", "Two", "Three", "Four", "Five", "Six", "Seven")]
    assert (rows[8]["title"], rows[8]["text"]) == ('Stub & "quoted" <title>', "Short.")


# Counted in the file with grep: 74 <page>; <ns>0 65 times, 1 six times, 10, 14 and 828 once each; 9 <redirect>;
# one {{disambiguation}}. So 65 - 9 - 1 = 55 articles.
REAL = {"redirect": 9, "other_namespace": 9, "disambiguation": 1}


def test_a_larger_dump_whole_and_in_slices(shared_data: Path) -> None:
    tree = FolderTree(shared_data / "wikipedia")
    rows, rejected = read(tree)
    assert (len(rows), reasons(rejected)) == (55, REAL)
    for scale in (0.01, 0.0005):
        assert [r["id"] for r in read(tree, unit_scale=scale)[0]] == [r["id"] for r in rows]
    albania = rows[0]
    assert (albania["id"], albania["title"], albania["lang"]) == ("10", "Albania", "en")
    assert albania["url"] == "https://en.wikipedia.org/wiki/Albania"
    assert albania["text"].split("\n")[2:4] == [
        "Mild temperate; cool, cloudy, wet winters; hot, clear, dry summers; interior is cooler and wetter.",
        "Mostly mountains and hills; small plains along coast.",
    ]
    assert [r["text"] for r in rows if r["id"] == "200"] == ["Short."]
    assert [r["title"] for r in rows if r["id"] == "200"] == ['Stub & "quoted" <title>']


def transformed(rows: list[dict[str, Any]]) -> Transformed:
    raw = pa.Table.from_pylist([{"records": 1, **row} for row in rows], schema=Text().raw_schema)
    return Text().transform(raw, "wikipedia", TextParams())


def test_pages_left_empty_count_what_was_left_out_of_them(tmp_path: Path) -> None:
    """A box alone is a stub; a page whose only sentence lacks a word is a loss; what both had is added up."""
    tree = write(
        tmp_path,
        page(1, "{{Unheard of box\n| a = b\n}}\n{{Another one|c}}"),
        page(2, "He is {{age|1950|1|1}} years old."),
        page(3, "== Nothing =="),
        page(4, "Text {{unheard of|and more}} of it."),
    )
    rows, rejected = read(tree)
    made = transformed(rows)
    lost = [(each.id, each.reason, each.detail) for each in [*rejected, *made.rejected]]
    assert [each[:2] for each in sorted(lost)] == [("1", "stub"), ("2", "empty_text"), ("3", "stub")]
    assert "P2" in sorted(lost)[1][2] and "lack a word (1)" in sorted(lost)[1][2]
    assert made.stats == {
        "templates_taken_for_boxes": 2,
        "sentences_left_out": 1,
        "templates_shown_by_guess": 1,
    }
    assert made.kept["text"].to_pylist() == ["Text and more of it."]
    (said,) = Text().warnings(1, made.stats, TextParams())
    assert "2 for boxes" in said


@pytest.mark.parametrize("mark", [". ", " "])
def test_a_paragraph_of_any_length_is_cut_between_words(tmp_path: Path, mark: str) -> None:
    """60,000 characters: lines end with sentences where there are any, else with words, and nothing is lost."""
    sentence = "The quick brown foxes jumped over seventeen sleeping dogs"
    long = mark.join([sentence] * 1000) + "."
    rows, _ = read(write(tmp_path, page(1, long)))
    lines = transformed(rows).kept["text"].to_pylist()
    assert " ".join(lines) == long and len(lines) > 30
    words = set(f"{sentence}.".split()) | set(sentence.split())
    assert all({line.split()[0], line.split()[-1]} <= words for line in lines)
    if mark == ". ":
        assert all(line.startswith("The quick") and line.endswith("dogs.") for line in lines)


def test_no_markup_is_left_of_real_dumps(all_corpora: list[Path]) -> None:
    debris = re.compile(
        r"[\[\]{}|<>]|(?<!\b[A-Z] )=|''|thumb|__|&\w+;|https?:|\bRef\b|Category:|File:|Outline of|World Factbook$|  "
    )
    for root in all_corpora:
        for row in read(FolderTree(root / "wikipedia"))[0]:
            for line in row["text"].split("\n"):
                assert not debris.search(line), line


def test_a_dump_becomes_lines(corpora: Path) -> None:
    rows, _ = read(FolderTree(corpora / "wikipedia"))
    result = transformed(rows)
    assert sum(Text().records_per_row(result.kept)) == 9 and not result.rejected
    assert result.kept.num_rows == sum(row["text"].count("\n") + 1 for row in rows) == 89  # none over 1,800 bytes


def test_a_larger_dump_becomes_lines(shared_data: Path) -> None:
    rows, _ = read(FolderTree(shared_data / "wikipedia"))
    result = transformed(rows)
    assert sum(Text().records_per_row(result.kept)) == 55 and not result.rejected
    assert result.kept.num_rows == 783 + 6  # paragraphs, six of them over 1,800 bytes and cut in two


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2"])
def test_every_packing_and_slicing_gives_the_same_pages(tmp_path: Path, suffix: str) -> None:
    generator = random.Random(1)
    words = [f"word{n}" for n in range(3000)]
    pages = [
        page(n, f"Page {n} " + " ".join(generator.choices(words, k=generator.randrange(1000)))) for n in range(300)
    ]
    tree = write(tmp_path, *pages)
    plain = (tmp_path / "dump.xml").read_bytes()
    if suffix:
        (tmp_path / "dump.xml").unlink()
        # A multistream file with small blocks, cut anywhere.
        cuts = [0, 300_000, 300_001, 700_007, len(plain)]
        streams = [bz2.compress(plain[a:b], 1) for a, b in pairwise(cuts)]
        (tmp_path / f"dump.xml{suffix}").write_bytes(b"".join(streams) if suffix == ".bz2" else gzip.compress(plain))
    rows, rejected = read(tree)
    assert [row["id"] for row in rows] == [str(n) for n in range(300)] and not rejected
    for scale in (0.02, 0.0061):
        assert [(r["id"], r["text"]) for r in read(tree, unit_scale=scale)[0]] == [(r["id"], r["text"]) for r in rows]


def test_a_tag_cut_by_a_slice_belongs_to_the_slice_in_which_it_begins(tmp_path: Path) -> None:
    tree = write(tmp_path, page(1, "One."), page(2, "Two."))
    size = tree.size("dump.xml")
    for cut in range(1, size):
        found = []
        for start, end in ((0, cut), (cut, None)):
            payload = {"file": "dump.xml", "start": start, "end": end}
            found += [p.id for p in mediawiki.read_pages(tree, payload) if isinstance(p, mediawiki.Page)]
        assert found == ["1", "2"]


@pytest.mark.slow
def test_a_corrupt_block_costs_its_pages_only(tmp_path: Path) -> None:
    generator = random.Random(2)
    pages = [page(n, " ".join(str(generator.random()) for _ in range(400))) for n in range(200)]
    tree = write(tmp_path, *pages)
    damaged = bytearray(bz2.compress((tmp_path / "dump.xml").read_bytes(), 1))
    (tmp_path / "dump.xml").unlink()
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "dump.xml.bz2").write_bytes(damaged)
    rows, rejected = read(tree)
    assert len(rows) > 180
    assert reasons(rejected) == {"decode_error": 2}  # the block, and the page that runs into it
    assert rejected[0].id.isdecimal() and "are lost" in rejected[1].detail
    sliced_rows, sliced_rejected = read(tree, unit_scale=0.01)
    assert sliced_rows == rows and sliced_rejected == rejected


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2"])
def test_a_truncated_dump_gives_what_is_whole(tmp_path: Path, suffix: str) -> None:
    generator = random.Random(3)
    pages = [page(n, " ".join(str(generator.random()) for _ in range(400))) for n in range(60)]
    tree = write(tmp_path, *pages)
    plain = (tmp_path / "dump.xml").read_bytes()
    whole = {"": plain, ".gz": gzip.compress(plain), ".bz2": bz2.compress(plain, 1)}[suffix]
    (tmp_path / "dump.xml").unlink()
    (tmp_path / f"dump.xml{suffix}").write_bytes(whole[: len(whole) * 5 // 8])
    rows, rejected = read(tree)
    assert [row["id"] for row in rows] == [str(n) for n in range(len(rows))] and len(rows) > 20
    assert set(reasons(rejected)) == {"truncated"}
    assert rejected[0].id == str(len(rows))


def test_one_bad_page_costs_one_page(tmp_path: Path) -> None:
    tree = write(
        tmp_path,
        page(1, "Good."),
        page(2, "broken &amp entity"),
        page(3, "&undeclared;"),
        "<page><title>No id</title><ns>0</ns><revision><text>x</text></revision></page>",
        "<page><title>Never closed</title><ns>0</ns><id>5</id>",
        page(6, "BYTES"),
        page(7, "{{Only|a template}}"),
        page(8, "#REDIRECT [[Good]]"),
        page(9, "Moved.", extra='<redirect title="x"/>'),
        page(10, "Talk.", namespace=1),
        page(11, "Good too."),
    )
    raw = (tmp_path / "dump.xml").read_bytes().replace(b"BYTES", b"\xff\xfe")
    (tmp_path / "dump.xml").write_bytes(raw)
    rows, rejected = read(tree)
    made = transformed(rows)
    assert made.kept["id"].to_pylist() == ["1#0", "11#0"]
    assert [(r.id, r.reason) for r in made.rejected] == [("7", "stub")]
    assert [(r.id, r.reason) for r in rejected] == [
        ("2", "bad_row"),
        ("3", "bad_row"),
        ("dump.xml, byte 0", "bad_row"),
        ("5", "bad_row"),
        ("6", "bad_encoding"),
        ("8", "redirect"),
        ("9", "redirect"),
        ("10", "other_namespace"),
    ]
    assert rows[0]["url"] == "https://de.wikipedia.org/wiki/P1" and rows[0]["lang"] == "de"


def test_an_enormous_page_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mediawiki, "MAX_PAGE_BYTES", 10_000)
    monkeypatch.setattr(packed, "CHUNK_BYTES", 1_000)
    tree = write(tmp_path, page(1, "a"), page(2, "x" * 200_000), page(3, "b"), page(4, "y" * 10_500), page(5, "c"))
    for scale in (1.0, 0.002):
        rows, rejected = read(tree, unit_scale=scale)
        assert [row["id"] for row in rows] == ["1", "3", "5"]
        assert [(r.id, r.reason) for r in rejected] == [("2", "too_large"), ("4", "too_large")]


@pytest.mark.slow
def test_a_bzip2_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_FREE_BYTES", 2 << 20)
    monkeypatch.setattr(packed, "_MAX_RATIO", 20)
    generator = random.Random(4)
    pages = [page(n, " ".join(str(generator.random()) for _ in range(400))) for n in range(200)]
    tree = write(tmp_path, *pages, page(200, "x" * 60_000_000), page(201, "Behind."))
    (tmp_path / "dump.xml.bz2").write_bytes(bz2.compress((tmp_path / "dump.xml").read_bytes()))
    (tmp_path / "dump.xml").unlink()
    rows, rejected = read(tree)
    assert [row["id"] for row in rows] == [str(n) for n in range(200)][: len(rows)] and len(rows) > 100
    assert set(reasons(rejected)) == {"too_large"}


def test_entity_bombs_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + HEAD + page(1, "&b;") + "</mediawiki>"
    (tmp_path / "dump.xml").write_text(bomb)
    with pytest.raises(SourceError, match=r"dump\.xml: declares a document type"):
        list(CORPUS.units(FolderTree(tmp_path), SourceOptions()))


def test_other_files_are_not_dumps(tmp_path: Path) -> None:
    (tmp_path / "feed.xml").write_text("<rss></rss>")
    (tmp_path / "notes.txt").write_text("x")
    assert list(CORPUS.units(FolderTree(tmp_path), SourceOptions())) == []
    (tmp_path / "dump.xml.bz2").write_bytes(b"BZh9 not really")
    assert list(CORPUS.units(FolderTree(tmp_path), SourceOptions())) == []


def test_units_name_their_file_and_have_no_gaps(tmp_path: Path) -> None:
    generator = random.Random(1)
    pages = (page(number, generator.randbytes(200).hex()) for number in range(1000))
    dump = bz2.compress(f"{HEAD}{''.join(pages)}</mediawiki>".encode(), 1)  # five blocks
    for name in ("a.xml.bz2", "b.xml.bz2"):
        (tmp_path / name).write_bytes(dump)
    units = list(CORPUS.units(FolderTree(tmp_path), SourceOptions(unit_scale=0.005)))
    assert [u.inputs for u in units[:3]] == [("a.xml.bz2",)] * 3
    spans = [(u.payload["file"], u.payload["start"], u.payload["end"]) for u in units]
    assert all(a[2] == b[1] or (a[2] is None and b[1] == 0) for a, b in pairwise(spans))


def test_parts_as_wikimedia_names_them_and_utf_16(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    whole = write(tmp_path / "one", page(1, "The first article is here."), page(2, "The second one is not far away."))
    data = whole.read("dump.xml")
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "xxwiki-20240101-pages-articles1.xml-p1p9.bz2").write_bytes(bz2.compress(data))
    wide = tmp_path / "wide"
    wide.mkdir()
    (wide / "xxwiki-pages-articles.xml").write_bytes(data.decode().encode("utf-16"))
    (wide / "yywiki-pages-articles.xml.gz").write_bytes(gzip.compress(data.decode().encode("utf-16-le")))
    expected = [row["text"] for row in read(whole)[0]]
    assert [row["text"] for row in read(FolderTree(parts))[0]] == expected
    assert [row["text"] for row in read(FolderTree(wide), unit_scale=1e-9)[0]] == expected * 2
