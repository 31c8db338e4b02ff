"""Books: every layout, encoding and wrapping, with nothing left of the licence."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from omni_ray.corpora.base import SourceOptions
from omni_ray.corpora.books import Books
from omni_ray.modalities.text import Text, TextParams
from omni_ray.sources import gutenberg
from omni_ray.sources.tree import FileTree, FolderTree
from tests.list_sources import Source, kept, lost
from tests.text.units import read_units

CORPUS = Books()
read = partial(read_units, CORPUS)
LICENCE = "\n*** START: FULL LICENSE ***\n\nTHE FULL PROJECT GUTENBERG LICENSE\n\nSection 1. General Terms of Use\n"


def book(text: str) -> list[str]:
    found = gutenberg.read_book(text)
    assert found is not None
    return found.paragraphs


# Gutenberg: 12 files of 9 books (17645, 20170 and 44157 in two encodings each). BookCorpus: 2 files of 1,050 lines
# each (wc -l), and 2 texts of e-books.
@pytest.mark.slow
def test_the_real_books(shared_data: Path) -> None:
    rows, rejected = read(FolderTree(shared_data / "books"))
    assert [(r.id, r.where.rpartition("/")[2], r.reason) for r in rejected] == [
        ("17645", "17645.txt", "duplicate_edition"),
        ("20170", "20170.txt", "duplicate_edition"),
        ("44157", "44157-8.txt", "duplicate_edition"),
    ]
    assert len(rows) == 9 + 2100 + 2
    assert [row["id"] for row in rows if row["id"].isdecimal()] == [
        *("11", "972", "2542", "14881", "17645", "18195", "20170", "21937", "44157"),
    ]
    books = {row["id"]: row for row in rows}
    assert {n: b["lang"] for n, b in books.items() if n.isdecimal() and b["lang"] != "en"} == {"44157": "fr"}
    assert books["14881"]["title"] == "The Log School-House on the Columbia"
    assert books["11"]["url"] == "https://www.gutenberg.org/ebooks/11"
    assert read(FolderTree(shared_data / "books"), unit_scale=1e-3)[0] == rows


def test_real_books_begin_and_end_where_they_should(shared_data: Path) -> None:
    rows, _ = read(FolderTree(shared_data / "books"))
    ends = {row["id"]: row["text"].split("\n") for row in rows if row["id"].isdecimal()}
    assert {number: (text[0], text[-1][-24:]) for number, text in ends.items() if number != "972"} == {
        "11": ("Alice’s Adventures in Wonderland", "THE END"),
        "2542": ("A Doll’s House", "ng is heard from below.]"),
        "14881": ("THE LOG SCHOOL-HOUSE ON THE COLUMBIA", "by the stupendous event."),
        "17645": ("Arbor Day Leaves", "innati, Chicago, Boston."),
        "18195": ("THE GIRL'S OWN PAPER", " back my friend at last!"),
        "20170": ("G.W.R: The Line to Legend Land", "Vol. One Back End"),
        "21937": ("MODERN ICELANDIC PLAYS", "th Street, New York City"),
        "44157": ("Au lecteur.", "rbank» (de vensterbank.)"),
    }
    assert ends["972"][0] == "THE DEVIL'S DICTIONARY" and ends["972"][-1].startswith("ZOOLOGY, n.")
    assert any("Björnson" in line for line in ends["21937"]) and any("JÓHANN" in line for line in ends["21937"])
    assert any("à l’école" in line for line in ends["44157"])


def test_a_whole_e_book_and_lines_of_others(corpora: Path) -> None:
    """Alice with the licence before and after it, the Constitution, and BookCorpus: 240 and 230 lines (wc -l)."""
    rows, rejected = read(FolderTree(corpora / "books"))
    assert (len(rows), rejected) == (1 + 1 + 240 + 230, [])
    [alice] = (row for row in rows if row["id"].isdecimal())
    assert (alice["id"], alice["title"], alice["lang"]) == ("11", "Alice's Adventures in Wonderland", "en")
    text = alice["text"].split("\n")
    assert (text[0], text[-1]) == ("ALICE'S ADVENTURES IN WONDERLAND", "THE END")
    assert read(FolderTree(corpora / "books"), unit_scale=1e-3)[0] == rows


@pytest.mark.slow
def test_nothing_of_the_licence_or_its_makers_is_left(all_corpora: list[Path]) -> None:
    boilerplate = re.compile(
        r"gutenberg|pgdp|proofread|e-?text\b|ebook|produced by (?:chris|susan|charlene|branko|aloysius|arthur|martin)"
        r"|transcriber|\*\*\*|trademark|\[Illustration|donations|Emmy and Ben|Louise Hope",
        re.IGNORECASE,
    )
    for root in all_corpora:
        for row in read(FolderTree(root / "books"))[0]:
            for line in row["text"].split("\n"):
                assert not boilerplate.search(line), (row["id"], line[:200])


def test_hard_wrapped_lines_are_joined(corpora: Path) -> None:
    rows, _ = read(FolderTree(corpora / "books" / "gutenberg" / "cache"))
    alice = rows[0]["text"].split("\n")
    start = alice.index("CHAPTER I. Down the Rabbit-Hole")
    assert alice[start + 1] == (
        "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do: once"
        " or twice she had peeped into the book her sister was reading, but it had no pictures or conversations in it,"
        " 'and what is the use of a book,' thought Alice 'without pictures or conversation?'"
    )


def test_real_books_become_lines(corpora: Path) -> None:
    rows, _ = read(FolderTree(corpora / "books"))
    raw = pa.Table.from_pylist([{**row, "records": 1} for row in rows], schema=Text().raw_schema)
    result = Text().transform(raw, "books", TextParams())
    assert sum(Text().records_per_row(result.kept)) == 472 and not result.rejected
    lines = result.kept["text"].to_pylist()
    assert max(len(line.encode()) for line in lines) <= 1800


MARKERS = {
    "plain": ("*** START OF THE PROJECT GUTENBERG EBOOK X ***", "*** END OF THE PROJECT GUTENBERG EBOOK X ***"),
    "this": ("*** START OF THIS PROJECT GUTENBERG EBOOK X ***", "End of the Project Gutenberg EBook of X, by Y"),
    "no space": ("***START OF THE PROJECT GUTENBERG EBOOK X***", "***END OF THE PROJECT GUTENBERG EBOOK X***"),
    "two lines": (
        "***START OF THE PROJECT GUTENBERG EBOOK A LONG\nTITLE***",
        "***END OF THE PROJECT GUTENBERG EBOOK A LONG\nTITLE***",
    ),
    "never closed": ("*** START OF THE PROJECT GUTENBERG EBOOK X", "End of Project Gutenberg's X, by Y"),
    "lower case": ("*** start of this project gutenberg ebook x ***", "*** end of this project gutenberg ebook x ***"),
    "small print": (
        "***START**THE SMALL PRINT!**FOR PUBLIC DOMAIN ETEXTS**START***\n\nWhy is this here?\n\n"
        "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
        "End of The Project Gutenberg Etext of X",
    ),
    "small print without stars": (
        "Please read.\n\n*END THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.12.12.00*END*",
        "End of this Project Gutenberg Etext of X",
    ),
    "this is": ("*** START OF THIS PROJECT GUTENBERG EBOOK X ***", "This is the end of the Project Gutenberg Etext"),
    "German": (
        "*END THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*",
        "Ende dieses Projekt Gutenberg Etextes X",
    ),
    "German, of 2005": ("*** START OF THIS PROJECT GUTENBERG EBOOK X ***", "Ende dieses Project Gutenberg Etextes"),
    "French": ("*** START OF THIS PROJECT GUTENBERG EBOOK X ***", "Fin du Projet Gutenberg Etext de X"),
    "Italian": ("*** START OF THIS PROJECT GUTENBERG EBOOK X ***", "Fine di questo Etext del Progetto Gutenberg"),
    "Dutch": ("Begin van het Project Gutenberg eBoek\n\n*** START OF THE PROJECT GUTENBERG EBOOK X ***", "Einde van Project Gutenberg's X"),
    "file": ("*** START OF THIS PROJECT GUTENBERG EBOOK X ***", "***** This file should be named 1.txt or 1.zip *****"),
}  # fmt: skip


@pytest.mark.parametrize("name", MARKERS)
def test_every_kind_of_marker(name: str) -> None:
    start, end = MARKERS[name]
    text = (
        f"The Project Gutenberg EBook of X\n\nTitle: X\n\n{start}\n\n\nThe text\nitself.\n\nMore.\n\n\n{end}\n{LICENCE}"
    )
    assert book(text) == ["The text itself.", "More."]


VOLUMES = "*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\nOne.\n\n{end_1}\n\n{between}Two.\n\n{end_2}\n\n"
INNER_HEADER = (
    "Updated editions will replace the previous one.\n\nThe Project Gutenberg EBook of Two\n\n"
    "*** START OF THE PROJECT GUTENBERG EBOOK TWO ***\n\n"
)


@pytest.mark.parametrize("between", ["", INNER_HEADER])
def test_a_collected_edition_keeps_all_of_its_volumes(between: str) -> None:
    text = VOLUMES.format(
        end_1="End of the Project Gutenberg EBook of X, Volume 1, by Y",
        end_2="End of the Project Gutenberg EBook of X, Volume 2, by Y",
        between=between,
    )
    text += (
        "*** END OF THE PROJECT GUTENBERG EBOOK X ***\n\nUpdated editions will replace it.\n\nMore licence.\n" + LICENCE
    )
    assert book("The Project Gutenberg EBook of X\n\n" + text) == ["One.", "Two."]


def test_a_head_without_a_marker_is_a_wrong_header() -> None:
    assert gutenberg.read_book("The Project Gutenberg EBook of X\n\nThe text itself.") is None


def test_a_text_without_any_header_is_taken_whole() -> None:
    assert book("One\nparagraph.\n\nAnother.") == ["One paragraph.", "Another."]


def test_credits_and_notes_of_transcribers_go() -> None:
    text = (
        "*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\nProduced by A. Person and\nB. Person\n\n"
        "E-text prepared by C\n\nThis etext was produced by D\n\nTranscribed from the 1900 edition by E\n\n"
        "Note: Project Gutenberg also has an HTML version of this\n      file.\n\n\n"
        "Transcriber's Note:\n\n    Spelling was kept.\n\n    Italics are _so_.\n\n\n\n\nTHE BOOK\n\n"
        "[Transcriber's Note: a page is\n\nmissing here [sic]\n\nin the copy.]\n\nText [Illustration: A _fine_ map]\n\n"
        "[Illustration]\n\nBooks are produced by printers.\n\n       *       *       *\n\nLast. [Pg 12]\n\n\n"
        "Errata noted by transcriber:\n\nx for y\n\n  z\n\n\n*** END OF THIS PROJECT GUTENBERG EBOOK X ***\n"
    )
    assert book(text) == ["THE BOOK", "Text A fine map", "Books are produced by printers.", "Last."]


def test_a_note_that_never_ends_does_not_take_the_book() -> None:
    body = "\n\n".join(f"Paragraph {n}." for n in range(100))
    assert len(book(f"Transcriber's Note:\n\n{body}")) > 50
    assert len(book(f"[Transcriber's Note: never closed\n\n{body}")) > 50


def test_a_note_on_one_line_does_not_take_what_follows() -> None:
    body = ["CHAPTER I", *(f"Paragraph {n}." for n in range(9))]
    assert book("\n\n".join(["Transcriber's Note: Spelling was kept.", *body])) == body
    assert book("\n\n".join(["Transcriber's Note: Spelling was kept.", "Names, too.\n", *body])) == body
    end = "Transcriber's Notes:\n\nx for y\n\nz for w"
    assert book("\n\n".join([*body, end])) == body


def test_a_book_that_was_cut(tmp_path: Path) -> None:
    marked = "Project Gutenberg\n\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\nHalf of it.\n"
    (tmp_path / "1.txt").write_text(marked)
    (tmp_path / "2.txt").write_text("Project Gutenberg\n\n*END*THE SMALL PRINT!*END*\n\nAn old file, which ends so.\n")
    rows, rejected = read(FolderTree(tmp_path))
    assert [row["text"] for row in rows] == ["An old file, which ends so."]
    assert [(each.id, each.reason) for each in rejected] == [("1", "truncated")]


def test_joining_lines_keeps_words_whole() -> None:
    assert book("a twenty-\nfive year wait--\nso long—\nand pre-war, this -\nthat") == [
        "a twenty-five year wait--so long—and pre-war, this - that"
    ]
    assert book("  Tyger Tyger, burning bright,\n    In the forests of the night;\n\n  What") == [
        "Tyger Tyger, burning bright, In the forests of the night;",
        "What",
    ]
    long = "A paragraph on one line. " * 20
    assert book(f"{long}\n{long}") == [long.strip(), long.strip()]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xef\xbb\xbfd\xc3\xa9j\xc3\xa0", "déjà"),
        (b"Character set encoding: UTF-8\r\n\r\nd\xc3\xa9j\xc3\xa0", "déjà"),
        (b"Character set encoding: ISO-8859-1\r\n\r\nd\xe9j\xe0", "déjà"),
        (b"Character set encoding: ISO Latin-1\r\n\r\nd\xe9j\xe0 \x93so\x94", "déjà “so”"),
        (b"Character set encoding: Windows-1252\r\n\r\nd\xe9j\xe0", "déjà"),
        (b"Character set encoding: ISO-646-US (US-ASCII)\r\n\r\nd\xe9j\xe0", "déjà"),
        (b"Character set encoding: ASCII\r\n\r\nd\xc3\xa9j\xc3\xa0", "déjà"),
        (b"Language: French\r\n\r\nd\xe9j\xe0", "déjà"),
        (b"d\xe9but", "début"),  # the same in all encodings of Latin letters
        ("déjà".encode("utf-16"), "déjà"),
        ("Character set encoding: ISO-8859-1\r\n\r\ndéjà l’été".encode(), "déjà l’été"),
        ("Character set encoding: Windows-1251\r\n\r\nУже лето.".encode("cp1251"), "Уже лето."),
        ("Character set encoding: KOI8-R\r\n\r\nУже лето.".encode("koi8-r"), "Уже лето."),
        ("Character set encoding: ISO-8859-7 (Greek)\r\n\r\nΤο παλιό σπίτι.".encode("iso8859-7"), "Το παλιό σπίτι."),
        ("Character set encoding: ISO-8859-2\r\n\r\nZażółć gęślą jaźń.".encode("iso8859-2"), "Zażółć gęślą jaźń."),
        ("Character set encoding: Codepage 1250\r\n\r\nŽluťoučký kůň.".encode("cp1250"), "Žluťoučký kůň."),
        ("Character set encoding: Big5\r\n\r\n山後有一條小河。".encode("big5"), "山後有一條小河。"),
        ("Character set encoding: GB2312\r\n\r\n山后有一条小河。".encode("gb2312"), "山后有一条小河。"),
        # A wrong declaration: the text makes no sense in it.
        (
            "Character set encoding: ISO-8859-1\r\n\r\nСтарый дом стоит у дороги за рекой.".encode("cp1251"),
            "Старый дом стоит у дороги за рекой.",
        ),
    ],
)
def test_encodings(data: bytes, text: str) -> None:
    assert (gutenberg.decode(data) or "").split("\n")[-1] == text


def test_bytes_that_do_not_fit_the_declared_encoding() -> None:
    assert gutenberg.decode(b"Character set encoding: UTF-8\n\nd\xe9j\xe0") is None
    assert gutenberg.decode(b"binary\0rubbish") is None
    assert gutenberg.decode(b"d\xe9j\xe0") is None  # or is it Slovak?
    assert gutenberg.decode(b"d\xe9j\xe0", "cp1252") == "déjà"


def test_where_the_best_edition_is_broken_the_next_is_kept(tmp_path: Path) -> None:
    start = "Project Gutenberg\n\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\n"
    end = "\n\n*** END OF THIS PROJECT GUTENBERG EBOOK X ***\n"
    folder = tmp_path / "1" / "2" / "123"
    folder.mkdir(parents=True)
    (folder / "123-0.txt").write_bytes(b"Character set encoding: UTF-8\n\n" + start.encode() + b"d\xe9j\xe0")
    (folder / "123-8.txt").write_bytes(b"Project Gutenberg without a marker")
    (folder / "123.txt").write_text(start + "deja" + end)
    (folder / "old").mkdir()
    (folder / "old" / "123-0.txt").write_text(start + "older" + end)
    rows, rejected = read(FolderTree(tmp_path))
    assert [(row["id"], row["text"]) for row in rows] == [("123", "deja")]
    assert Counter(r.reason for r in rejected) == {"bad_encoding": 1, "wrong_header": 1, "duplicate_edition": 1}
    assert {r.id for r in rejected} == {"123"}


def test_a_damaged_book_in_a_zip_costs_itself(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("1/1-0.txt", "1/1-8.txt", "b.txt", "c.txt"):
            archive.writestr(name, f"{name} has these words, which are enough of them for a text. " * 9)
    source = Source(tmp_path)
    data = out.getvalue()
    source.put("books.zip", data.replace(b"1/1-0.txt has", b"1/1-0.txt HAS").replace(b"b.txt has", b"b.txt HAS"))
    rows = source.rows(CORPUS)
    assert [row["id"] for row in kept(rows)] == ["1/1", "c.txt"]
    assert lost(rows) == [("1/1", "decode_error"), ("b.txt", "decode_error")]


def test_files_of_other_corpora_are_no_books(tmp_path: Path) -> None:
    (tmp_path / "19-198.trans.txt").write_text("19-198-0000 CHAPTER ONE\n")
    (tmp_path / "000000000139.txt").write_text("0 0.5 0.5\n")
    (tmp_path / "README.txt").write_text("Read me.")
    assert list(CORPUS.units(FolderTree(tmp_path), SourceOptions())) == []


def test_a_single_file_with_any_name(tmp_path: Path) -> None:
    path = tmp_path / "alice.txt"
    marked = "*** {} OF THE PROJECT GUTENBERG EBOOK X ***\n\n"
    path.write_text(f"Project Gutenberg [eBook #11]\n\n{marked.format('START')}Text.\n\n{marked.format('END')}")
    rows, _ = read(FileTree(path))
    assert [(row["id"], row["text"]) for row in rows] == [("11", "Text.")]


def test_downloads_land_under_the_names_that_are_read(tmp_path: Path) -> None:
    for download in CORPUS.downloads[:3]:
        (tmp_path / download.path).write_text("Text.")
    rows, _ = read(FolderTree(tmp_path))
    assert [f"pg{row['id']}.txt" for row in rows] == [d.path for d in CORPUS.downloads[:3]]
    assert len({d.url for d in CORPUS.downloads}) == len(CORPUS.downloads) == 56


def test_books_numbered_alike_are_editions_only_where_they_are_gutenbergs(tmp_path: Path) -> None:
    def put(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    marker = "*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\nThe same sentence.\n\n*** END OF THE PROJECT GUTENBERG EBOOK X ***"
    for name in ("first/1.txt", "second/1.txt", "second/1-0.txt", "second/1-preface.txt", "second/2.txt"):
        put(name, f"A sentence of {name}.\n")
    for name in ("cache/epub/7/pg7.txt", "7/7-8.txt"):
        put(name, f"The Project Gutenberg EBook of X\n\n{marker}\n")
    kept, rejected = read(FolderTree(tmp_path))
    assert [row["id"] for row in kept] == ["2", "7", "first/1", "second/1", "second/1-preface"]
    assert [(r.id, r.where, r.reason) for r in rejected] == [
        ("7", "7/7-8.txt", "duplicate_edition"),
        ("second/1", "second/1.txt", "duplicate_edition"),
    ]


def test_books_without_a_header_beside_gutenbergs_and_alone(tmp_path: Path) -> None:
    header = "The Project Gutenberg EBook of X\n\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\n"
    own = tmp_path / "own"
    own.mkdir()
    (own / "My Novel.txt").write_text("It was a dark and stormy night in the old town.\n")
    (own / "紅樓夢.txt").write_text("滿紙荒唐言，一把辛酸淚。都云作者癡，誰解其中味？" * 3, "utf-8")
    (own / "PG1342_text.txt").write_text("It is a truth universally acknowledged.\n")
    (own / "PG1342_raw.txt").write_text(
        f"{header}It is a truth universally acknowledged.\n\n{header.split(chr(10))[2].replace('START', 'END')}\n"
    )
    (own / "Вишнёвый сад.txt").write_text("Комната, которая до сих пор называется детскою.\n" * 3, "cp1251")
    (own / "Notepad.txt").write_text("It was the best of times, it was the worst of times.\n", "utf-16")
    (own / "counts.txt").write_text("1 2 3 4 5\n6 7 8 9 10\n")
    (own / "photos").mkdir()
    (own / "photos" / "dog.jpg").write_bytes(b"jpeg")
    (own / "photos" / "dog.txt").write_text("A dog that runs through the park on a Sunday.")
    kept, rejected = read(FolderTree(own))
    assert [row["id"] for row in kept] == ["1342", "My Novel.txt", "Notepad.txt", "Вишнёвый сад.txt", "紅樓夢.txt"]
    assert kept[3]["text"].startswith("Комната, которая")
    assert [r.reason for r in rejected] == ["duplicate_edition"]
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "notes.txt").write_text("What is in the table beside this file, and why.")
    (notes / "books.csv").write_text("text\nA book.\n")
    assert list(CORPUS.units(FolderTree(notes), SourceOptions())) == []
