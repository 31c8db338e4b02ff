"""Making text safe for files in which a line is a record.

The trainers split the corpus at LF, CR and CRLF only, drop undecodable bytes, and strip each line. What they
would lose or mangle is mended here, once, for text lines, transcripts, captions and labels alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\u00ad]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")
_SPACE = re.compile(r"\s+")


def one_line(text: str) -> str:
    """``text`` as one line: NFC, any run of white space (line ends of every kind too) one space, stripped,
    without NUL, control characters or lone surrogates. Blank and invisible-only text gives "".
    """
    text = _SPACE.sub(" ", _CONTROLS.sub("", text)).strip()
    if not text or not _INVISIBLE.sub("", text).strip():
        return ""
    return unicodedata.normalize("NFC", text)


# The same classes for RE2 (Arrow's engine): its \s is ASCII only, and Arrow strings hold no surrogates.
_R_INVISIBLE = r"\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{2064}\x{feff}\x{ad}"
_R_CONTROLS = r"[\x00-\x08\x0e-\x1b\x7f-\x{84}\x{86}-\x{9f}]"
_R_RARE_SPACE = r"\t-\r\x1c-\x1f\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
# Characters that NFC never changes, whatever is beside them: quick check "yes", combining class 0. Whole
# blocks only: Latin and IPA, Cyrillic letters, dashes and quotes, CJK ideographs, kana and Hangul syllables.
_R_STABLE = (
    r" -~\x{a1}-\x{ac}\x{ae}-\x{2ff}\x{400}-\x{482}\x{48a}-\x{52f}\x{2010}-\x{2027}\x{2030}-\x{205e}"
    r"\x{20a0}-\x{20c0}\x{3001}-\x{3029}\x{3041}-\x{3096}\x{30a1}-\x{30ff}\x{4e00}-\x{9ffc}"
    r"\x{ac00}-\x{d7a3}\x{ff01}-\x{ff9d}"
)
_R_CHANGES = rf"  |\A | \z|[^{_R_STABLE}]"


def one_line_array(text: pa.Array) -> pa.Array:
    """:func:`one_line` of every value of ``text`` (string or large_string, nulls stay null), exactly.

    Only values that hold something to mend are touched, by Arrow's own kernels; only those that hold
    characters which NFC could change are seen by Python, since Arrow's Unicode tables are not Python's.
    """
    import pyarrow.compute as pc

    dirty = pc.fill_null(pc.match_substring_regex(text, _R_CHANGES), False)
    mended = text.filter(dirty)
    if len(mended) == 0:
        return text
    odd = pc.match_substring_regex(mended, rf"[^{_R_STABLE}]")
    if pc.any(odd).as_py():
        mended = pc.replace_with_mask(mended, odd, _with_plain_blanks(mended.filter(odd)))
    return pc.replace_with_mask(text, dirty, _single_blanks(pc.utf8_trim(mended, " ")))


def _with_plain_blanks(text: pa.Array) -> pa.Array:
    """Values without nulls as :func:`one_line` makes them, but for blanks at their ends and several in a row."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pc.any(pc.match_substring_regex(text, _R_CONTROLS)).as_py():
        text = pc.replace_substring_regex(text, _R_CONTROLS, "")
    text = pc.replace_substring_regex(text, rf"[{_R_RARE_SPACE}]+", " ")
    blank = pc.match_substring_regex(text, rf"\A[ {_R_INVISIBLE}]*\z")
    text = pc.if_else(blank, pa.scalar("", text.type), text)
    unstable = pc.match_substring_regex(text, rf"[^{_R_STABLE}]")
    composed = [unicodedata.normalize("NFC", value) for value in text.filter(unstable).to_pylist()]
    return pc.replace_with_mask(text, unstable, pa.array(composed, text.type))


def _single_blanks(text: pa.Array) -> pa.Array:
    """Values without nulls, and without blanks at their ends, with each run of blanks as one."""
    import numpy as np
    import pyarrow as pa

    _, offsets, data = text.buffers()
    values = np.frombuffer(data or b"", np.uint8)
    blank = values == ord(" ")
    again = np.flatnonzero(blank[1:] & blank[:-1]) + 1
    if not len(again):
        return text
    ends = np.frombuffer(offsets, np.int64 if pa.types.is_large_string(text.type) else np.int32)
    ends = ends - np.searchsorted(again, ends).astype(ends.dtype)
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(np.delete(values, again))]
    return pa.Array.from_buffers(text.type, len(text), buffers, offset=text.offset)


# A full stop after one of these, after a single letter or inside a dotted word does not end a sentence.
_ABBREVIATION = re.compile(
    "mrs?|ms|dr|st|prof|gen|col|capt|lt|sgt|maj|rev|hon|gov|sen|rep|messrs|mme|mlle|jr|sr|vs|etc|cf|al|nos?"
    "|vols?|ch|figs?|pp|ca|approx|inc|ltd|corp?|dept|est|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile("(?P<mark>[.!?…؟۔।॥])[\"'”’»)\\]]* |[。！？｡][」』）”’]* ?")
_WORD_END = re.compile(" |(?<=[、，；：])")


def split_line(line: str, budget: int, cap: int) -> list[str]:
    """``line`` in pieces of at most ``budget`` UTF-8 bytes, cut between sentences, else between words.

    A sentence ends at its mark, a space, and something that is not lower case; in scripts written without
    spaces, at the mark alone. A word of more than ``budget`` bytes stays whole in a piece of its own, unless
    it is over ``cap`` bytes: then it is cut between characters. Nothing but the space at a cut is lost:
    ``" ".join(pieces) == line`` where every cut falls on a space, and otherwise the same without spaces.

    Args:
        line: one clean line, as :func:`one_line` gives it.
        budget: UTF-8 bytes wanted at most.
        cap: UTF-8 bytes never exceeded; at least 4, and not under ``budget``.
    """
    pieces: list[str] = []
    current, room = "", budget
    for sentence in _cut_at(line, _sentence_ends(line)):
        parts = [sentence] if _cost(sentence) <= budget else _words(sentence, cap)
        for part in parts:
            if current and _cost(part) > room:
                pieces.append(current.rstrip(" "))
                current, room = "", budget
            current += part
            room -= len(part.encode())
    pieces.append(current.rstrip(" "))
    return pieces


def _cost(part: str) -> int:
    """UTF-8 bytes of ``part`` at the end of a line, where the space after it is dropped."""
    return len(part.rstrip(" ").encode())


def _cut_at(text: str, ends: Iterable[int]) -> Iterator[str]:
    start = 0
    for end in ends:
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]


def _sentence_ends(line: str) -> Iterator[int]:
    for match in _SENTENCE_END.finditer(line):
        end = match.end()
        if match["mark"] is None or (not line[end : end + 1].islower() and not _is_abbreviation(line, match)):
            yield end


def _is_abbreviation(line: str, match: re.Match[str]) -> bool:
    if match["mark"] != "." or match.end() - match.start() > 2:
        return False
    word = line[line.rfind(" ", 0, match.start()) + 1 : match.start()].lstrip("\"'“‘«([")
    return len(word) < 2 or "." in word or _ABBREVIATION.fullmatch(word) is not None


def _words(sentence: str, cap: int) -> Iterator[str]:
    for word in _cut_at(sentence, (match.end() for match in _WORD_END.finditer(sentence))):
        if _cost(word) <= cap:
            yield word
        else:
            yield from _slices(word.encode(), cap)


def _slices(word: bytes, cap: int) -> Iterator[str]:
    start = 0
    while start < len(word):
        end = min(start + cap, len(word))
        while end < len(word) and word[end] & 0xC0 == 0x80:
            end -= 1
        yield word[start:end].decode()
        start = end
