"""Which encoding a text file is in. One rule for every file of text: lines, lists, tables, books, sidecars.

A byte order mark decides; then strict UTF-8, which hardly ever fits by accident; then what the file or the user
declares, if the text makes sense in it; then a detector's best guess that makes sense. What stays doubtful is read
as UTF-8, so that each line or record that is not UTF-8 is rejected, and none is kept as garbage.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from omni_ray.errors import OmniError
from omni_ray.sources.alphabets import MOST_ODD, frequent_words, is_kana, is_plausible, is_shouted, is_wide, oddness

HINT = "if you know the file's encoding, name it: --encoding cp1252"
"""What to do about bytes in an unknown encoding."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins like the one of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HIGH = re.compile(rb"[\x80-\xff]")
_SAMPLE_BYTES = 1 << 16
_LEAST_EVIDENCE = 6
"""Fewer bytes beyond ASCII prove nothing."""
_FEWEST_WORDS = 1 / 200
"""A smaller share of words with bytes beyond ASCII looks like damage rather than like another encoding."""
_FEW_WORDS = 1 / 20
_MOST_ODD_NAMES = 0.25
"""Where fewer words than this have any, they are foreign names: the letters of several languages."""
_MARGIN, _MARGIN_OF_FEW = 0.9, 0.75
"""A second guess that makes sense too must be this much less likely than the first; of few bytes beyond ASCII, more so."""
_FEW_BYTES = 256
"""Where there are no more than this, less likely readings are considered, too."""
_WIDE_CODECS = ("gb18030", "big5hkscs", "cp932", "euc_jis_2004", "cp949")
_CANDIDATES = (
    *("cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874"),
    *("iso8859-2", "iso8859-5", "iso8859-7", "iso8859-9", "iso8859-13", "iso8859-15", "koi8-r", "koi8-u"),
    *("cp850", "cp852", "cp866", "mac-roman"),
    *_WIDE_CODECS,
)
_WITHOUT_KANA = ("gb18030", "big5hkscs", "cp949")
"""They have kana where the Japanese encodings have theirs; a text with kana is Japanese."""
_LATIN_CODECS = ("cp1250", "cp1252", "cp1254", "cp1257", "iso8859-2", "cp850", "cp852", "mac-roman")
_SUPERSETS = {
    # What calls itself Latin 1 is Windows-1252 where it uses 0x80 to 0x9f, and so on.
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "utf-16": "utf-16-le",
    "utf-32": "utf-32-le",
    "utf-8-sig": "utf-8",
}
_LATIN_PARTS = {"1": 1, "2": 2, "3": 3, "4": 4, "5": 9, "6": 10, "7": 13, "8": 14, "9": 15, "10": 16}
_NAMES = (
    (r"utf-?8|unicode(?!.*16)", "utf-8"),
    (r"8859[-_ ]?(\d+)", "iso8859-{}"),
    (r"(?:windows|win|cp|ansi|page|dos|ms|ibm)[-_ a-z]*(125\d|437|85\d|86\d|874|93\d|949|950)\b", "cp{}"),
    (r"koi-?8-?([ru])?", "koi8-{}"),
    (r"gb-?18030|gbk|gb-?2312|\bgb\b|euc-?cn", "gb18030"),
    (r"big-?5", "big5hkscs"),
    (r"s(?:hift)?[-_]?jis", "cp932"),
    (r"euc-?jp", "euc_jp"),
    (r"euc-?kr", "cp949"),
    (r"mac(?:intosh)?[- ]?roman", "mac-roman"),
    (r"ascii|646", "cp1252"),
)


def known(name: str) -> str | None:
    """The codec that a file means by ``name``, in any spelling ("ISO Latin-1", "Windows Code Page 1251"); None if unknown."""
    latin = re.search(r"latin[-_ ]?(\d+)", name, re.IGNORECASE)
    if latin and latin[1] in _LATIN_PARTS and "8859" not in name:
        name = f"iso-8859-{_LATIN_PARTS[latin[1]]}"
    for pattern, codec in _NAMES:
        if match := re.search(pattern, name, re.IGNORECASE):
            name = codec.format(*((part or "r").lower() for part in match.groups()))
            break
    try:
        found = codecs.lookup(name.strip())
    except (LookupError, ValueError):
        return None
    if not found._is_text_encoding:
        return None
    return _SUPERSETS.get(found.name, found.name)


def named(name: str) -> str:
    """The codec that the user means. Raises OmniError where there is none of that name."""
    codec = known(name)
    if codec is None:
        raise OmniError(f"--encoding {name}: no such encoding; examples are utf-8, cp1252, iso-8859-2, koi8-r, gbk")
    return codec


def sniff(data: bytes, declared: str = "") -> str:
    """The codec of a file.

    Args:
        data: its beginning, or all of it.
        declared: what it says itself, in its own words; "" where it says nothing.

    Returns:
        A codec's name; "utf-8" also in case of doubt.
    """
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return codec
    if b"\0" in data:
        return _wide(data) or "utf-8"
    if data.isascii():
        is_japanese = b"\x1b" in data and re.search(rb"\x1b\$[@B]", data) and _fits(data, "iso2022_jp")
        return "iso2022_jp" if is_japanese else "utf-8"
    sample, good, odd = _sample(data)
    if good >= odd:
        return "utf-8"  # damaged
    said = known(declared) if declared else None
    share = _share_beyond_ascii(data)
    most_odd = _MOST_ODD_NAMES if share < _FEW_WORDS else MOST_ODD
    if said is not None and said != "utf-8" and _fits(data, said) and oddness(_text(sample, said)) <= most_odd:
        return said
    is_little = len(_HIGH.findall(sample)) < _LEAST_EVIDENCE or 0 < share < _FEWEST_WORDS
    return "utf-8" if is_little else _guess(sample) or "utf-8"


def decode(data: bytes, encoding: str = "", declared: str = "") -> str | None:
    """The text of a whole file, its line ends as LF; None where bytes do not fit, or their meaning is doubtful.

    Args:
        data: all of it.
        encoding: the codec that the user named, "" for none. A byte order mark overrides it.
        declared: what the file says itself, for :func:`sniff`.
    """
    codec = encoding if encoding and not has_mark(data) else sniff(data, declared)
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        text = "" if encoding or has_mark(data) else _unanimous(data)
        if not text:
            return None
    return None if "\0" in text else text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _unanimous(data: bytes) -> str:
    """The text as Windows-1252, if its letters are Latin and no other Latin encoding makes sense; else ""."""
    if len(re.findall(rb"[A-Za-z]", data)) < 4 * len(_HIGH.findall(data)):
        return ""
    texts = {_text(data, codec) for codec in _LATIN_CODECS if _fits(data, codec)}
    return data.decode("cp1252") if {*filter(is_plausible, texts)} == {_text(data, "cp1252")} else ""


def has_mark(data: bytes) -> bool:
    """Whether a file begins with a byte order mark."""
    return data.startswith(tuple(mark for mark, _ in _MARKS))


def recoded(chunks: Iterator[bytes], codec: str) -> Iterator[bytes]:
    """A file's bytes as UTF-8. What is invalid in ``codec`` stays invalid, and so costs only its own lines."""
    decoder = codecs.getincrementaldecoder(codec)(errors=_MARK_ERRORS)
    is_first = True
    for chunk in chunks:
        text = decoder.decode(chunk)
        if is_first and text:
            text, is_first = text.removeprefix("\ufeff"), False
        yield text.encode("utf-8", "surrogatepass")
    yield decoder.decode(b"", True).encode("utf-8", "surrogatepass")


_MARK_ERRORS = "omni_ray.mark"
codecs.register_error(_MARK_ERRORS, lambda error: ("\udcff", error.end))  # type: ignore[attr-defined]


def _wide(data: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: text with zeros where single-byte letters have none."""
    data = data[: len(data) // 4 * 4]
    zeros = [data[place::4].count(0) * 4 / max(1, len(data)) for place in range(4)]
    if min(zeros[2:]) > 0.9:
        return "utf-32-le" if _fits(data, "utf-32-le") else None
    if min(zeros[:2]) > 0.9:
        return "utf-32-be" if _fits(data, "utf-32-be") else None
    little, big = zeros[1] + zeros[3], zeros[0] + zeros[2]
    for codec in ("utf-16-le", "utf-16-be") if little >= big else ("utf-16-be", "utf-16-le"):
        if _fits(data, codec) and is_plausible(_text(data[:_SAMPLE_BYTES], codec)):
            return codec
    return None


def _sample(data: bytes) -> tuple[bytes, int, int]:
    """The lines that are not UTF-8, as far as a detector needs them; how many are UTF-8 beyond ASCII, how many not."""
    good = 0
    odd: list[bytes] = []
    size = 0
    for line in re.split(rb"[\r\n]+", data):
        if _HIGH.search(line) is None:
            continue
        if _fits(line, "utf-8"):
            good += 1
        else:
            odd.append(line)
            size += len(line)
            if size > _SAMPLE_BYTES:
                break
    return b"\n".join(odd)[: 2 * _SAMPLE_BYTES], good, len(odd)


def _share_beyond_ascii(data: bytes) -> float:
    """The share of words that have bytes beyond ASCII."""
    start = data[: 1 << 18]
    # One pattern for such a word would look for its high byte from every letter of a long word that has none.
    touched = sum(_HIGH.search(word) is not None for word in re.findall(rb"[\x21-\xff]+", start))
    return touched / max(1, len(re.findall(rb"[^\s,;|\"]+", start)))


def _guess(sample: bytes) -> str | None:
    """The likeliest codec in which the text makes sense, where no other that makes as much is nearly as likely."""
    import chardet

    are_few = len(_HIGH.findall(sample)) <= _FEW_BYTES
    margin = _MARGIN_OF_FEW if are_few else _MARGIN
    guesses: dict[str, tuple[float, float, str]] = {}
    most_trust = 0.0
    for guess in chardet.detect_all(sample, ignore_threshold=True, include_encodings=_CANDIDATES, compat_names=False):
        codec, trust = known(str(guess["encoding"])), guess["confidence"]
        if trust < margin * most_trust and not are_few:
            break
        if codec is None or not _fits(sample, codec):
            continue
        text = _text(sample, codec)
        odd = oddness(text)
        if odd <= MOST_ODD and text not in guesses and not (codec in _WITHOUT_KANA and is_kana(text)):
            guesses[text] = (odd, trust, codec)
            most_trust = max(most_trust, trust)
    likely = [(odd, text) for text, (odd, trust, _) in guesses.items() if trust >= margin * most_trust]
    best = [text for odd, text in likely if odd == min(likely)[0]]
    best = [text for text in best if frequent_words(text) == max(map(frequent_words, best))]
    if len(best) != 1 or (are_few and _is_doubtful(sample, best[0], guesses)):
        return None
    return guesses[best[0]][2]


def _is_doubtful(sample: bytes, text: str, others: Iterable[str]) -> bool:
    """Whether another reading speaks against this one, however unlikely the detector finds it."""
    if is_shouted(text) or any(frequent_words(other) > frequent_words(text) for other in others):
        return True  # small letters of one encoding are the capitals of another
    wide = () if is_wide(text) else (_text(sample, codec) for codec in _WIDE_CODECS if _fits(sample, codec))
    return any(is_wide(other) and is_plausible(other) for other in wide)


def _fits(data: bytes, codec: str) -> bool:
    """Whether data is valid, apart from a character that is cut at its end."""
    try:
        codecs.getincrementaldecoder(codec)().decode(data)
    except UnicodeDecodeError:
        return False
    return True


def _text(data: bytes, codec: str) -> str:
    return codecs.getincrementaldecoder(codec)(errors="replace").decode(data)
