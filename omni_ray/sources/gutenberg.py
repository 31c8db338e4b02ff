"""Project Gutenberg's plain text: encodings, headers and licences of fifty years, hard-wrapped paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from omni_ray.sources import encoding as encodings

_HEAD_CHARS = 20_000
_DECLARED = re.compile(rb"Character set encoding:[ \t]*([^\r\n]+)", re.IGNORECASE)
# "Project Gutenberg" as its languages write it: Projekt, Projet, Progetto, Proyecto, Projecto, ...
_PROJECT = r"(?:Pro[gjy]\w{1,6}[\s-]+Gutenberg|Gutenberg[\s-]+Pro[gjy])"
_BEGINNINGS = r"Beginn?(?:ing)?|Anfang|D[ée]but|Inizio|In[íi]cio|Comienzo|Början|Begyndelse|Alku|Początek"
_ENDS = (
    r"End|Ende|Fin|Fine|Fim|Final|Einde|Slut|Slutt|Loppu|V[ée]ge|Koniec|Konec|Kraj|Sf[âa]r[şș]it(?:ul)?|Fino|Finis"
    r"|Τέλος|Конец|Кінець|Край"
)
# The title in the marker may run over several lines; an older header ends with the small print instead.
_START = re.compile(
    r"^[ \t]*\*{2,}[ \t]*START OF TH\w* PROJECT GUTENBERG(?:[^*\n]*(?:\n[^*\n]+){0,3}\*{2,})?[^\n]*$"
    rf"|^[ \t*_]*(?:{_BEGINNINGS})\b[^\n]{{0,60}}{_PROJECT}[^\n]*$"
    r"|^[^\n]*\*END\*?[ *]*THE SMALL PRINT![^\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
_MARKED_START = re.compile(r"^[ \t]*\*{2,}[ \t]*START OF TH\w* PROJECT GUTENBERG", re.IGNORECASE | re.MULTILINE)
_END = re.compile(
    r"^[ \t*_]*(?:This is the )?END OF (?:TH\w* )?PROJECT GUTENBERG"
    rf"|^[ \t*_]*(?:{_ENDS})\b(?:[^\n]{{0,60}}{_PROJECT}| (?:dieses|de ce|de cet|di questo|de este) e-?(?:text|book)\w*\b)"
    r"|^[ \t]*\*{2,}[ \t]*(?:START: FULL LICENSE|START\*\*THE SMALL PRINT)"
    r"|^[ \t]*\*+ ?This file should be named ",
    re.IGNORECASE | re.MULTILINE,
)
_AFTER_END = re.compile(r"[^\n]*(?:\n[ \t]*[^\s][^\n]*)*")
_LICENCE = re.compile(
    "gutenberg|licen[cs]e|copyright|trademark|donation|small print|e-?texts?\\b|e-?books?\\b|editions will replace|should be named",
    re.IGNORECASE,
)
_LICENCE_CHARS = 600
"""How much text after an end marker decides whether it is the licence."""
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
_NOTE_BLOCKS, _FEW_BLOCKS = 20, 5
_NOTE = re.compile(
    r"\W*(?:(?:errata|corrections?)\s+noted\s+by\s+(?:the\s+)?transcriber"
    r"|transcriber(?:['’]?s['’]?)?\s+(?:end)?\s?notes?\b|notes?\s+(?:of|by|du|de\s+la|sur\s+la)\s+(?:the\s+)?transcri\w+|anmerkungen?\s+(?:zur|des)\s+transkri\w+)",
    re.IGNORECASE,
)
_TITLE_OF_NOTE = re.compile(rf"{_NOTE.pattern}\W*", re.IGNORECASE)
_ILLUSTRATION = re.compile(r"\[Illustrations?(?:: ?([^\[\]]{0,4000}))?\]|\[(?:Pg|Page) ?[\divxlc]+\]", re.IGNORECASE)
_EMPHASIS = re.compile(r"(?<![\w=])([_=])(\S(?:[^_=]*\S)?)\1(?![\w=])")
_WRAPPED_CHARS = 120

_TITLE = re.compile(r"^Title:[ \t]*([^\n]+(?:\n[ \t]+\S[^\n]*)*)", re.MULTILINE)
_LANGUAGE = re.compile(r"^Language:[ \t]*(\w+)", re.MULTILINE)
_NUMBER = re.compile(r"\[(?:e-?book|e-?text) ?#? ?(\d+)\]", re.IGNORECASE)
_IN_LANGUAGE = re.compile(rb"^Language:[ \t]*(\w+)", re.MULTILINE)
_WESTERN = frozenset(
    ("english", "french", "german", "spanish", "italian", "dutch", "portuguese", "finnish", "swedish", "danish")
)
"""Languages whose old files are in Latin 1 or Windows-1252 where they do not say."""
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


Block = tuple[int, list[str]]
"""A run of lines that are not blank, after the number of blank lines before it."""


@dataclass(frozen=True)
class Book:
    """A book without its wrapping.

    Attributes:
        title, lang: from the header, None where it does not say; ``lang`` as a two-letter code.
        number: Project Gutenberg's number, from the header; None where it does not say.
        paragraphs: the text, one line each.
        is_cut: its end is missing, by its wrapping: where a start is marked as it has been since 2004, so is the end.
    """

    title: str | None
    lang: str | None
    number: str | None
    paragraphs: list[str]
    is_cut: bool = False


def decode(data: bytes, encoding: str = "") -> str | None:
    """The text of a file, its line ends as LF; None where it is doubtful what its bytes mean.

    Args:
        encoding: the codec that the user named; "" goes by the bytes and by what the header declares.
    """
    declared = _DECLARED.search(data[:_HEAD_CHARS])
    said = declared[1].decode("ascii", "replace") if declared else ""
    if not said and (language := _IN_LANGUAGE.search(data[:_HEAD_CHARS])):
        said = "cp1252" if language[1].decode("ascii", "replace").lower() in _WESTERN else ""
    return encodings.decode(data, encoding, said)


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
        is_cut=_MARKED_START.search(head) is not None and _END.search(text, len(head)) is None,
    )


def _unwrap(text: str) -> tuple[str, str | None]:
    """The header and the body."""
    limit = max(_HEAD_CHARS, len(text) // 3)
    begin = 0
    for start in _START.finditer(text, 0, limit):
        if begin and _END.search(text, begin, start.start()):
            break  # the next volume's
        begin = start.end()
    if not begin and _NAMES_ITSELF.search(text, 0, _HEAD_CHARS // 4):
        return text[:_HEAD_CHARS], None
    return text[:begin], "\n\n".join(_volumes(text, begin))


def _volumes(text: str, begin: int) -> Iterator[str]:
    """What is between the wrappings: a collected edition has end markers, and even whole headers, between its volumes."""
    while True:
        end = _END.search(text, begin)
        if end is None:
            yield text[begin:]
            return
        yield text[begin : end.start()]
        behind = _AFTER_END.match(text, end.end())
        begin = behind.end() if behind else end.end()
        start = _START.search(text, begin)
        following = _END.search(text, begin)
        if following is not None:
            rest = text[begin : min(begin + _LICENCE_CHARS, following.start())]
            if _LICENCE.search(rest) is None:
                continue
        if start is None:
            return
        begin = start.end()


def _paragraphs(body: str) -> Iterator[str]:
    text = _ILLUSTRATION.sub(lambda caption: caption[1] or "", body)
    for index, lines in enumerate(_without_notes(list(_blocks(text)))):
        block = "\n".join(lines)
        flat = " ".join(block.split()).lower()
        if any(words in flat for words in _BOILERPLATE) or (index < _CREDIT_BLOCKS and _CREDIT.match(block)):
            continue
        for paragraph in _join(lines):
            if any(map(str.isalnum, paragraph)):
                yield _EMPHASIS.sub(r"\2", paragraph) if "_" in paragraph or "=" in paragraph else paragraph


def _without_notes(blocks: list[Block]) -> Iterator[list[str]]:
    """Blocks that are not transcriber's notes."""
    at = 0
    while at < len(blocks):
        lines = blocks[at][1]
        length = _length_of_note(blocks, at) if _NOTE.match(lines[0]) else 0
        if not length:
            yield lines
        at += max(1, length)


def _length_of_note(blocks: list[Block], at: int) -> int:
    """How many blocks the note that begins with block ``at`` has.

    In brackets it ends with its bracket; else with a wide gap, or with the text. Where neither comes soon, and that is very soon
    for a note that begins on the line of its title, what follows the first block is the book.
    """
    title = blocks[at][1][0]
    in_brackets = title.lstrip().startswith("[")
    most = _NOTE_BLOCKS if in_brackets or _TITLE_OF_NOTE.fullmatch(title) else _FEW_BLOCKS
    depth = 0
    for length, (gap, lines) in enumerate(blocks[at : at + most + 1]):
        if in_brackets:
            depth += sum(line.count("[") - line.count("]") for line in lines)
            if depth <= 0:
                return length + 1
        elif length and gap > 1:
            return length
    return len(blocks) - at if not in_brackets and len(blocks) - at <= most else 1


def _blocks(body: str) -> Iterator[Block]:
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
