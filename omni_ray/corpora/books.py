"""Books: Project Gutenberg's plain text files, and the files of BookCorpus."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from copy import copy
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from omni_ray.corpora.base import Corpus, Download, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.bounds import runs
from omni_ray.errors import SourceError
from omni_ray.sources import gutenberg
from omni_ray.sources.copies import names_once
from omni_ray.sources.encoding import HINT, has_mark, sniff
from omni_ray.sources.furniture import is_documentation
from omni_ray.sources.kinds import kind_of
from omni_ray.sources.line_blocks import line_units, read_lines
from omni_ray.sources.tables import table_format
from omni_ray.sources.tree import MemberDamaged, MemberTooLarge

if TYPE_CHECKING:
    import pyarrow as pa

    from omni_ray.sources.tree import Tree

_BOOKS_PER_UNIT = 32
_LINES_PER_BOOK = 1000
_BYTES_PER_BOOK = 400_000
_BYTES_PER_LINE = 70
"""All are only estimates."""
_HOST = "https://www.gutenberg.org"
_PAUSE_S = 2.0
_MAX_BOOK_BYTES = 64 << 20
_MINI_SAMPLES = 20_000
"""Books in a language other than English, which has no list of classics, for a first try."""

_LINE_FILE = re.compile(r"books_large[^/]*\.txt(?:\.(?:gz|bz2|xz|zst))?$", re.IGNORECASE)
_EPUB_TEXT = re.compile(r"(?:^|/)epubtxt/[^/]+\.txt$|\.epub\.txt$", re.IGNORECASE)
_NUMBERED = re.compile(r"(?:^|/)(?:pg)?([1-9]\d{0,5})(-\w+|_text|_raw)?\.txt(?:\.utf-?8)?$", re.IGNORECASE)
_STRIPPED = re.compile(r"(?:^|/)pg[1-9]\d{0,5}_(?:text|raw)\.txt$", re.IGNORECASE)
"""Project Gutenberg's books as the Standardized Project Gutenberg Corpus calls them."""
_OTHER_TEXT = re.compile(r"\.txt$", re.IGNORECASE)
_HEAD_BYTES = 4096
_FEWEST_LETTERS = 20

# Well-known books, the most read of Project Gutenberg's first six thousand.
_CLASSICS = (
    *(11, 16, 35, 36, 43, 45, 46, 55, 74, 76, 84, 98, 105, 113, 120, 135, 145, 158, 161, 174, 203, 205, 209, 215),
    *(219, 236, 244, 345, 408, 514, 521, 730, 766, 768, 786, 829, 996, 1184, 1232, 1260, 1342, 1399, 1400, 1661),
    *(1727, 1952, 2500, 2542, 2554, 2591, 2600, 2701, 2852, 3207, 4300, 5200),
)


class Books(Corpus):
    """A record is a book, in each of its files, or a line of BookCorpus's line files.

    Of several files of one Project Gutenberg book, the one in the best encoding is kept.
    """

    name = "books"
    modality = "text"
    title = "Books: Project Gutenberg, BookCorpus"
    licence = "Public domain in the US (Project Gutenberg); BookCorpus: each author's own"
    homepage = "https://www.gutenberg.org"
    size = (
        "75,000 books, 30 GB of text; those in English (others by --language) are downloaded, one every two seconds, as many as --max-samples needs; "
        "--split classics takes 56 of them (45 MB)"
    )
    layout = (
        "Project Gutenberg's <number>.txt, <number>-0.txt, <number>-8.txt, pg<number>.txt or PG<number>_text.txt in any folders, "
        "other books as a .txt file each, BookCorpus's books_large_p*.txt or epubtxt/*.txt, or Parquet, JSONL or CSV files with a column called text"
    )
    version = 4
    downloads = tuple(
        Download(f"{_HOST}/cache/epub/{number}/pg{number}.txt", f"pg{number}.txt", split="classics", by_default=False)
        for number in _CLASSICS
    )
    catalogue = Download(f"{_HOST}/cache/epub/feeds/pg_catalog.csv", "pg_catalog.csv")
    language = "en"
    mini = (("classics",), None)
    manual = (
        "For all books, mirror them as https://www.gutenberg.org/help/mirroring.html says "
        "(rsync -av --include '*/' --include '*.txt' --exclude '*' aleph.gutenberg.org::gutenberg FOLDER)."
    )
    columns: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "text": ("text", "content", "book_text"),
        "id": ("id", "book_id"),
        "title": ("title", "book_title"),
        "url": ("url",),
        "lang": ("lang", "language"),
    }

    def listed(self, catalogue: bytes) -> list[Download]:
        """The texts in the language, by number; the robots' rule of the site is two seconds between files.

        Raises:
            SourceError: there are none.
        """
        import csv

        rows = csv.DictReader(io.StringIO(catalogue.decode("utf-8-sig", "replace")))
        numbers = {
            int(row["Text#"])
            for row in rows
            if row.get("Type") == "Text" and row.get("Language") == self.language and str(row.get("Text#")).isdecimal()
        }
        if not numbers:
            raise SourceError(
                f"{self.name}: Project Gutenberg lists no texts in {self.language}; give a code such as de"
            )
        return [
            Download(
                f"{_HOST}/cache/epub/{number}/pg{number}.txt",
                f"pg{number}.txt",
                samples=_LINES_PER_BOOK,
                about=_BYTES_PER_BOOK,
                pause_s=_PAUSE_S,
                may_lack=True,
            )
            for number in sorted(numbers)
        ]

    def in_language(self, language: str) -> Corpus:
        """The texts that Project Gutenberg's catalogue has in ``language``: ``de``, ``fr``."""
        other = copy(self)
        vars(other).update(language=language, downloads=(), mini=((), _MINI_SAMPLES))
        return other

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        """Byte ranges of the line files, by name; then groups of books: numbered ones by number, others by name."""
        books: dict[str, list[str]] = {}
        others: dict[str, list[str]] = {}
        for name in names_once(tree):
            if _LINE_FILE.search(name):
                yield from line_units(tree, name, options, _BYTES_PER_LINE)
                continue
            book = _book_of(tree, name)
            if book is not None:
                books.setdefault(book, []).append(name)
            elif _is_other_book(tree, name, options.encoding):
                others[name] = [name]
        if books or not any(map(table_format, tree.names())):
            # Beside a table, and without a book, such files are notes about it.
            books |= others
        books = {book: names for number in books for book, names in _told_apart(tree, number, books[number])}
        numbered = sorted(books, key=lambda book: (not book.isdecimal(), len(book) if book.isdecimal() else 0, book))
        for group in runs(numbered, options, _BOOKS_PER_UNIT, lambda book: max(map(tree.size, books[book]))):
            editions = [[book, sorted(books[book], key=_rank)] for book in group]
            files = tuple(name for _, names in editions for name in names)
            payload = {"books": editions, **({"encoding": options.encoding} if options.encoding else {})}
            yield UnitDraft(payload, files, records=len(files), samples=_LINES_PER_BOOK * len(group))

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected | pa.Table]:
        """The lines of a range, or the books of a group."""
        if "file" in payload:
            yield from read_lines(tree, payload)
            return
        for book, names in payload["books"]:
            kept = ""
            for name in names:
                if kept:
                    yield Rejected(book, name, "duplicate_edition", f"{kept} is kept")
                    continue
                record = _read(tree, book, name, payload.get("encoding", ""))
                kept = "" if isinstance(record, Rejected) else name
                yield record


def _book_of(tree: Tree, name: str) -> str | None:
    """The book that a file holds: Project Gutenberg's number, or the file's own name; None where it holds none."""
    if _EPUB_TEXT.search(name):
        return name
    number = _NUMBERED.search(name)
    if number is not None:
        return number[1]
    if not _OTHER_TEXT.search(name):
        return None
    head = _head(tree, name)
    if head is None:
        return name  # a book or not: its loss is said where it is read
    if b"Project Gutenberg" not in head:
        return None
    declared = re.search(rb"\[(?:e-?book|e-?text) ?#? ?(\d{1,6})\]", head, re.IGNORECASE)
    return declared[1].decode() if declared else name


def _is_prose(head: bytes, encoding: str) -> bool:
    """Whether a file that has no header is a text at all: not labels, counts or boxes."""
    codec = encoding if encoding and not has_mark(head) else sniff(head)
    visible = "".join(head.decode(codec, "replace").split())
    return max(_FEWEST_LETTERS, len(visible) / 2) < sum(map(str.isalpha, visible))


def _is_other_book(tree: Tree, name: str, encoding: str) -> bool:
    """Whether a text may be a book of somebody's own: not a read-me, nor a transcript or caption among its media."""
    folder, _, base = name.rpartition("/")
    if not _OTHER_TEXT.search(base) or is_documentation(base) or "." in base[:-4] or _has_media(tree, folder):
        return False
    return _is_prose(_head(tree, name) or b"", encoding)


def _head(tree: Tree, name: str) -> bytes | None:
    """The beginning of a file; None for a damaged member of an archive."""
    try:
        with tree.open(name) as file:
            return file.read(_HEAD_BYTES)
    except MemberDamaged:
        return None


@lru_cache(maxsize=64)
def _has_media(tree: Tree, folder: str) -> bool:
    return any(kind_of(name).holds in {"audio", "picture", "video"} for name in tree.children(folder)[1])


def _told_apart(tree: Tree, book: str, names: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Books of one number: Project Gutenberg's files of it, anywhere, are one book; so are other people's files in one
    folder that differ only in ``-0`` and ``-8``. Any other is a book of its own, named after its folder and file."""
    places: dict[str, list[str]] = {}
    for name in names:
        place = book
        if len(names) > 1 and not _is_gutenbergs(tree, name):
            folder, slash, base = name.rpartition("/")
            stem = re.sub(r"\.txt(\.utf-?8)?$|(-[08])?\.txt$", "", base, flags=re.IGNORECASE)
            place = f"{folder.removesuffix('/old')}{slash}{stem}"
        places.setdefault(place, []).append(name)
    yield from places.items()


def _is_gutenbergs(tree: Tree, name: str) -> bool:
    if _STRIPPED.search(name):
        return True
    return b"Project Gutenberg" in (_head(tree, name) or b"")


def _rank(name: str) -> tuple[bool, int, str]:
    """Sorts a book's files: current before superseded, UTF-8 before Latin 1 before ASCII."""
    *folders, base = name.lower().split("/")
    number = _NUMBERED.search(base)
    if number is None:
        place = 2
    elif base.startswith("pg") or number[2] == "-0":
        place = 0 if number[2] == "-0" else 1
    else:
        place = {"-8": 3, None: 4}.get(number[2], 5)
    return "old" in folders, place, name


def _read(tree: Tree, book: str, name: str, encoding: str) -> dict[str, Any] | Rejected:
    try:
        data = tree.read(name, _MAX_BOOK_BYTES)
    except MemberTooLarge as error:
        return Rejected(book, name, "too_large", str(error))
    except MemberDamaged as error:
        return Rejected(book, name, "decode_error", str(error))
    text = gutenberg.decode(data, encoding)
    if text is None:
        return Rejected(book, name, "bad_encoding", f"neither UTF-8 nor what the file declares; {HINT}")
    found = gutenberg.read_book(text)
    if found is None:
        return Rejected(book, name, "wrong_header", "no marker of where the book starts")
    if found.is_cut:
        return Rejected(book, name, "truncated", "no marker of where the book ends: half of a download?")
    return {
        "id": book,
        "where": name,
        "text": "\n".join(found.paragraphs),
        "title": found.title,
        "url": f"https://www.gutenberg.org/ebooks/{book}" if book.isdecimal() else None,
        "lang": found.lang,
    }
