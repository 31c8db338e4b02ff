"""Project Gutenberg's plain text: encodings, headers and licences of fifty years, hard-wrapped paragraphs."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEAD_CHARS = 20_000
_DECLARED = re.compile(rb"Character set encoding:[ \t]*([^\r\n]+)", re.IGNORECASE)
_CODECS = (
    (re.compile(r"utf-?8|unicode", re.IGNORECASE), "utf-8"),
    (re.compile(r"8859-15", re.IGNORECASE), "iso8859-15"),
    # What calls itself Latin 1 is Windows-1252 where it uses 0x80 to 0x9f: those are control characters otherwise.
    (re.compile(r"8859-1\b|latin-?1|125[24]|windows", re.IGNORECASE), "cp1252"),
    (re.compile(r"ascii|646", re.IGNORECASE), "ascii"),
)

# The title in the marker may go over several lines; an older header ends with the small print instead.
_START = re.compile(
    r"^[ \t]*\*{2,}[ \t]*START OF TH\w* PROJECT GUTENBERG(?:[^*\n]*(?:\n[^*\n]+){0,3}\*{2,})?[^\n]*$"
    r"|^[^\n]*\*END\*?[ *]*THE SMALL PRINT![^\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
_END = re.compile(
    r"^[ \t*_]*(?:This is the )?END OF (?:TH\w* )?PROJECT GUTENBERG"
    r"|^[ \t]*\*{2,}[ \t]*(?:START: FULL LICENSE|START\*\*THE SMALL PRINT)"
    r"|^[ \t]*\*+ ?This file should be named ",
    re.IGNORECASE | re.MULTILINE,
)
_NAMES_ITSELF = re.compile(r"Project\s+Gutenberg", re.IGNORECASE)
_BOILERPLATE = (
    *("project gutenberg", "gutenberg.org", "gutenberg.net", "pgdp.net", "distributed proofread"),
    *("file was produced from", "html version of this", "livre électronique"),
)
_CREDIT = re.compile(
    r"\W*(?:This\s+)?(?:e-?(?:text|book)\s+(?:was\s+)?|(?:HTML|PDF)\s+version\s+)?"
    r"(?:produced|prepared|transcribed|scanned|digitized|typed)\s+(?:[\w.,&’'-]+\s+){0,8}?by\b",
    re.IGNORECASE,
)
_CREDIT_BLOCKS = 12
_NOTE_BLOCKS = 20
_NOTE = re.compile(
    r"\W*(?:(?:errata|corrections?)\s+noted\s+by\s+(?:the\s+)?transcriber"
    r"|transcriber(?:['’]?s['’]?)?\s+(?:end)?\s?notes?\b|notes?\s+(?:of|by|du|de\s+la|sur\s+la)\s+(?:the\s+)?transcri\w+|anmerkungen?\s+(?:zur|des)\s+transkri\w+)",
    re.IGNORECASE,
)
_ILLUSTRATION = re.compile(r"\[Illustrations?(?:: ?([^\[\]]{0,4000}))?\]|\[(?:Pg|Page) ?[\divxlc]+\]", re.IGNORECASE)
_EMPHASIS = re.compile(r"(?<![\w=])([_=])(\S(?:[^_=]*\S)?)\1(?![\w=])")
_WRAPPED_CHARS = 120

_TITLE = re.compile(r"^Title:[ \t]*([^\n]+(?:\n[ \t]+\S[^\n]*)*)", re.MULTILINE)
_LANGUAGE = re.compile(r"^Language:[ \t]*(\w+)", re.MULTILINE)
_NUMBER = re.compile(r"\[(?:e-?book|e-?text) ?#? ?(\d+)\]", re.IGNORECASE)
_LANGUAGES = {
    "english": "en",
    "french": "fr",
    "german": "de",
    "spanish": "es",
    "italian": "it",
    "dutch": "nl",
    "portuguese": "pt",
    "finnish": "fi",
    "latin": "la",
    "greek": "el",
    "chinese": "zh",
    "swedish": "sv",
    "danish": "da",
    "hungarian": "hu",
    "esperanto": "eo",
}


@dataclass(frozen=True)
class Book:
    """A book without its wrapping.

    Attributes:
        title, lang: from the header, None where it does not say; ``lang`` as a two-letter code.
        number: Project Gutenberg's number, from the header; None where it does not say.
        paragraphs: the text, one line each.
    """

    title: str | None
    lang: str | None
    number: str | None
    paragraphs: list[str]


def decode(data: bytes) -> str | None:
    """The text of a file, by its byte order mark, the encoding it declares, or else UTF-8 or Windows-1252.

    Line ends become LF. None where the bytes are not valid in what the file declares.
    """
    for encoding in _encodings(data):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if "\0" in text else text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return None


def _encodings(data: bytes) -> tuple[str, ...]:
    if data.startswith(codecs.BOM_UTF8):
        return ("utf-8",)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ("utf-16",)
    declared = _DECLARED.search(data[:_HEAD_CHARS])
    name = declared[1].decode("ascii", "replace") if declared else ""
    codec = next((codec for pattern, codec in _CODECS if pattern.search(name)), None)
    if codec == "utf-8":
        return ("utf-8",)
    if codec == "cp1252":
        return ("cp1252", "latin-1")
    if codec in (None, "ascii"):
        # No declaration, or one of plain ASCII that does not hold: UTF-8 hardly ever fits by accident.
        return ("utf-8", "cp1252")
    return (codec,)


def read_book(text: str) -> Book | None:
    """A book without header, licence, credits and transcriber's notes; None where its start cannot be recognised.

    A text that does not mention Project Gutenberg at its head has no header: it is taken whole.
    """
    head, body = _unwrap(text)
    if body is None:
        return None
    title = _TITLE.search(head)
    language = _LANGUAGE.search(head)
    number = _NUMBER.search(head)
    return Book(
        title=" ".join(title[1].split()) if title else None,
        lang=_LANGUAGES.get(language[1].lower()) if language else None,
        number=number[1] if number else None,
        paragraphs=list(_paragraphs(body)),
    )


def _unwrap(text: str) -> tuple[str, str | None]:
    """The header and the body."""
    starts = list(_START.finditer(text, 0, max(_HEAD_CHARS, len(text) // 3)))
    if not starts and _NAMES_ITSELF.search(text, 0, _HEAD_CHARS // 4):
        return text[:_HEAD_CHARS], None
    begin = starts[-1].end() if starts else 0
    end = _END.search(text, begin)
    return text[:begin], text[begin : end.start() if end else len(text)]


def _paragraphs(body: str) -> Iterator[str]:
    text = _ILLUSTRATION.sub(lambda caption: caption[1] or "", body)
    for index, lines in enumerate(_without_notes(_blocks(text))):
        block = "\n".join(lines)
        flat = " ".join(block.split()).lower()
        if any(words in flat for words in _BOILERPLATE) or (index < _CREDIT_BLOCKS and _CREDIT.match(block)):
            continue
        for paragraph in _join(lines):
            if any(map(str.isalnum, paragraph)):
                yield _EMPHASIS.sub(r"\2", paragraph) if "_" in paragraph or "=" in paragraph else paragraph


def _without_notes(blocks: Iterator[tuple[int, list[str]]]) -> Iterator[list[str]]:
    """Blocks that are not transcriber's notes. A note in brackets ends with its bracket, a section with a wide gap."""
    open_brackets = left = 0
    in_section = False
    for gap, lines in blocks:
        block = "\n".join(lines)
        left -= 1
        in_section = in_section and gap <= 1 and left > 0
        if in_section:
            continue
        if open_brackets > 0 and left > 0:
            open_brackets += block.count("[") - block.count("]")
            continue
        open_brackets = 0
        if not _NOTE.match(lines[0]):
            yield lines
            continue
        left = _NOTE_BLOCKS
        in_section = not lines[0].lstrip().startswith("[")
        open_brackets = 0 if in_section else block.count("[") - block.count("]")


def _blocks(body: str) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines that are not blank, each with the number of blank lines before it."""
    gap = 0
    lines: list[str] = []
    for line in body.split("\n"):
        if line.strip():
            lines.append(line)
            continue
        if lines:
            yield gap, lines
            gap, lines = 0, []
        gap += 1
    if lines:
        yield gap, lines


def _join(lines: list[str]) -> Iterator[str]:
    """A block's lines as one paragraph, prose and stanza alike; where lines are long, each is a paragraph already."""
    if max(map(len, lines)) > _WRAPPED_CHARS:
        yield from (line.strip() for line in lines)
        return
    joined = lines[0].strip()
    for line in lines[1:]:
        # Hyphens and dashes at a line's end stand in the word or between the words: nothing was split for wrapping.
        is_tied = joined[-2:-1].strip() and (
            joined.endswith(("--", "—")) or (joined[-1] == "-" and joined[-2:-1].isalnum())
        )
        joined += line.strip() if is_tied else " " + line.strip()
    yield joined
