"""Words: text to word tokens for the heuristics that count words, a whole column at a time.

The published heuristics (Gopher, C4, FineWeb) run on words as spaCy's English tokenizer cuts them. That tokenizer
looks at one blank-separated chunk at a time, so that here every distinct chunk of a batch is cut once, by
:func:`cut_chunk`, and everything else is arithmetic on integer arrays. What is known about a token (its length, whether
it is all punctuation, ...) is likewise found once for every distinct token.
"""

from __future__ import annotations

import re
from functools import lru_cache

from omni_ray.quality.characters import character_class

_PUNCT = re.escape(",:;!?¿؟¡()[]{}<>_#*&。？！，、；：～·।،۔؛٪")
_QUOTES = re.escape("'\"”“`‘´’‚,„»«「」『』（）〔〕【】《》〈〉⟦⟧")
_MONEY = re.escape("$£€¥฿₽﷼") + "₠-₿"
_ICONS = "¦©®°҂℀℁℃-℆℈℉№℗℞-℣℥℧℩℮℺℻⅊⅌⅍⅏↊↋↕-↙↜-↟↡↢↤↥↧-↭↯-⇍⇐⇑⇓⇕-⇳⌀-⌇⌌-⌟⌢-⌨⌫-⍻⍽-⎚⎴-⏛⏢-␦⑀-⑊⒜-ⓩ─-▶▸-◀◂-◷☀-♮♰-❧➔-➿⠀-⣿⬀-⬯⭅⭆⭍-⯿�\U0001f000-\U0001faff"
_UNITS = (
    "kmh|km/h|mph|km²|km³|km|hPa|Pa|mbar|mb|MB|kb|KB|gb|GB|tb|TB|m/s|m²|m³|dm|cm²|cm³|cm|mm²|mm³|mm|µm|nm|ha|yd"
    "|in|ft|kg|mg|µg|lb|oz|m|g|t|T|G|M|K|%"
)
# Lower and upper case letters of Latin, Greek and Cyrillic; letters without case count as both.
_LOWER = "a-zß-öø-ÿāăąćĉċčďđēĕėęěĝğġģĥħĩīĭįıĵķĺļľłńņňŋōŏőœŕŗřśŝşšţťŧũūŭůűųŵŷźżžά-ώа-џ"
_UPPER = "A-ZÀ-ÖØ-ÞĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮĴĶĹĻĽŁŃŅŇŌŎŐŒŔŖŘŚŜŞŠŢŤŦŨŪŬŮŰŲŴŶŹŻŽΆ-ΫЀ-Я"
_CASELESS = "א-ת\u0620-\u064a\u0671-\u06d3\u0904-\u0939\u0980-\u0fff\u3041-\u30ff\u4e00-\u9fff\uac00-\ud7a3"
_LETTER = _LOWER + _UPPER + _CASELESS

_PREFIX = re.compile(rf"''|\.\.+|……?|(?:US|C|A)\$|[§%=—–{_PUNCT}{_QUOTES}{_MONEY}{_ICONS}]|\+(?![0-9])")
_SUFFIX = re.compile(
    rf"(?:\.\.+|…|['’][sS]|[—–{_PUNCT}{_QUOTES}{_ICONS}]|(?<=[0-9])\+|(?<=[0-9])[{_MONEY}]"
    rf"|(?<=[0-9])(?:{_UNITS})|(?<=[0-9{_LOWER}{_CASELESS}%²\-+{_QUOTES}{_PUNCT}])\."
    rf"|(?<=[{_UPPER}{_CASELESS}][{_UPPER}{_CASELESS}])\.)$"
)
_INFIX = re.compile(
    rf"\.\.+|…|[{_ICONS}]|(?<=[0-9])[+\-*^](?=[0-9-])"
    rf"|(?<=[{_LOWER}{_CASELESS}{_QUOTES}])\.(?=[{_UPPER}{_CASELESS}{_QUOTES}])|(?<=[{_LETTER}]),(?=[{_LETTER}])"
    rf"|(?<=[{_LETTER}0-9])(?:---?|——|[-–—~])(?=[{_LETTER}])|(?<=[{_LETTER}0-9])[:<>=/](?=[{_LETTER}])"
)
_URL = re.compile(
    r"(?:[\w+\-.]{2,}://)?(?:[^\s@]+@)?(?:(?:\d{1,3}\.){3}\d{1,3}|(?:[A-Za-z0-9\u00a1-\uffff][\w\u00a1-\uffff-]{0,62}\.)+"
    rf"[{_LOWER}{_CASELESS}]{{2,63}})(?::\d{{2,5}})?(?:[/?#]\S*)?"
)

# Words that spaCy keeps whole although they have a full stop, an apostrophe or a slash in them.
_KEPT = """
a. b. c. d. e. f. g. h. i. j. k. l. m. n. o. p. q. r. s. t. u. v. w. x. y. z. ä. ö. ü. a.m. p.m. e.g. E.g. E.G.
i.e. I.e. I.E. v.s. vs. co. Co. Adm. Bros. Corp. D.C. Dr. Gen. Gov. Inc. Jr. Ltd. Messrs. Mr. Mrs. Ms. Mt. Ph.D.
Prof. Rep. Rev. Sen. St. Jan. Feb. Mar. Apr. Jun. Jul. Aug. Sep. Sept. Oct. Nov. Dec. Ak. Ala. Ariz. Ark. Calif.
Colo. Conn. Del. Fla. Ga. Ia. Id. Ill. Ind. Kan. Kans. Ky. La. Mass. Md. Mich. Minn. Miss. Mo. Mont. N.C. N.D.
N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Okla. Ore. Pa. S.C. Tenn. Va. Wash. Wis. and/or w/o C++ ma'am Ma'am o'clock
O'clock 'em 'cause 'Cause 'bout 'nuff 'cos 'Cos 'll 're 'd 's '' ol' doin' goin' nothin' somethin' havin' lovin'
<3 0.0 °C. °F. °K.
"""
_WHOLE = frozenset(word.replace("'", mark) for word in _KEPT.split() for mark in "'’")
_SMILEY = re.compile(
    r"[:;=8]['’]?-?[()]|:['’]?-?[\[\]DPpOo/|*03>xX}]|[:;]\(\(+|:\)\)+|\((?:-?[:;=8]|o:)|\)-?:|-_+-|\^_+\^|[oO0][._][oO0]|xDD?|XDD?"
)

_SUBJECTS = "i you he she it we they"
_ASKING = "who what when where why how there that this these those"
_NEGATED = "ai are ca could dare did do does had has have is may might must need ought sha should was were wo would"


def _contractions() -> dict[str, tuple[str, ...]]:
    """Contractions and their pieces: English pronouns and auxiliaries, with an apostrophe or without."""
    made: dict[str, tuple[str, ...]] = {"cannot": ("can", "not"), "gonna": ("gon", "na"), "gotta": ("got", "ta")}
    made |= {"y'all": ("y'", "all"), "yall": ("y", "all"), "let's": ("let", "'s"), "how'd'y": ("how", "'d", "'y")}
    made |= {"let’s": ("let", "’s"), "y’all": ("y’", "all"), "ima": ("i", "ma")}
    for mark in ("'", "’", ""):
        for word in [*_SUBJECTS.split(), *_ASKING.split()]:
            made |= _joined(word, mark)
        for verb in _NEGATED.split():
            made[f"{verb}n{mark}t"] = (verb, f"n{mark}t")
            made[f"{verb}n{mark}t{mark}ve"] = (verb, f"n{mark}t", f"{mark}ve")
        for verb in ("could", "might", "must", "should", "would"):
            made[f"{verb}{mark}ve"] = (verb, f"{mark}ve")
    for plain in ("ill", "shell", "hell", "well", "were", "shed", "its", "whore"):
        made.pop(plain, None)
    return made


def _joined(word: str, mark: str) -> dict[str, tuple[str, ...]]:
    endings = ["ll", "d"]
    if word in _ASKING.split():
        endings += ["s", "re", "ve"]
    elif word == "i":
        endings += ["m", "ve"]
    elif word in {"he", "she", "it"}:
        endings += ["s"]
    else:
        endings += ["re", "ve"]
    made: dict[str, tuple[str, ...]] = {f"{word}{mark}{end}": (word, f"{mark}{end}") for end in endings}
    made |= {f"{word}{mark}{end}{mark}ve": (word, f"{mark}{end}", f"{mark}ve") for end in ("ll", "d")}
    return made


_CONTRACTIONS = _contractions()
_EASY = re.compile(r"([A-Za-z]*[a-z]{2})([,;:!?.])")
_CLOCK = re.compile(r"(1[0-2]|[1-9])([ap]m|[ap]\.m\.)")
PLAIN = rf"^[{character_class('letters')}]+$"
"""Chunks of nothing but letters: one word each, unless :data:`SPLIT_PLAIN` holds them."""
SPLIT_PLAIN = frozenset(word for word in _CONTRACTIONS if word.isalpha())


def _special(text: str) -> tuple[str, ...] | None:
    if text in _WHOLE or _SMILEY.fullmatch(text):
        return (text,)
    pieces = _CONTRACTIONS.get(text) or _CONTRACTIONS.get(text[0].lower() + text[1:])
    if pieces:
        # The pieces keep the case that the chunk has.
        cut, start = [], 0
        for piece in pieces:
            cut.append(text[start : start + len(piece)])
            start += len(piece)
        return tuple(cut)
    clock = _CLOCK.fullmatch(text)
    return clock.groups() if clock else None


_MAX_CHUNK = 1000
"""Affixes come off one by one, each in the time of what is left; anything longer than this is not a word."""


def cut_chunk(chunk: str) -> tuple[str, ...]:
    """The word tokens of one blank-separated chunk, as spaCy's English rules cut it.

    Affixes (punctuation, quotes, currency, units, 's) come off at both ends for as long as there are any, unless what
    is left is a word the rules name; what remains is a URL, or is cut at infixes (a hyphen between letters, say). Joining
    the tokens gives the chunk.
    """
    return (chunk,) if len(chunk) > _MAX_CHUNK else _cut(chunk)


@lru_cache(maxsize=1 << 18)
def _cut(chunk: str) -> tuple[str, ...]:
    easy = _EASY.fullmatch(chunk)
    if easy and chunk not in _WHOLE and easy[1].lower() not in SPLIT_PLAIN:
        return easy[1], easy[2]
    head: list[str] = []
    tail: list[str] = []
    text = chunk
    if special := _special(text):
        return special
    while text and special is None:
        before = _PREFIX.match(text)
        start = before.end() if before else 0
        if start and start < len(text) and (special := _special(text[start:])):
            head.append(text[:start])
            break
        after = _SUFFIX.search(text, start)
        end = after.start() if after else len(text)
        if after and end > 0 and (special := _special(text[:end])):
            tail.append(text[end:])
            break
        if start == 0 and not after:
            break
        if start:
            head.append(text[:start])
        if after:
            tail.append(text[end:])
        text = text[start:end]
        special = _special(text) if text else None
    middle = list(special) if special else _middle(text)
    return _merged([*head, *middle, *reversed(tail)])


def _merged(tokens: list[str]) -> tuple[str, ...]:
    """Neighbours that together are a word or a smiley of the rules become one token ("St" "." after a dash, say)."""
    merged = tokens[:1]
    for token in tokens[1:]:
        pair = merged[-1] + token
        if len(pair) <= 9 and (pair in _WHOLE or _SMILEY.fullmatch(pair)):
            merged[-1] = pair
        else:
            merged.append(token)
    return tuple(merged)


def _middle(text: str) -> list[str]:
    if not text:
        return []
    if "." in text and _URL.fullmatch(text):
        return [text]
    pieces: list[str] = []
    start = 0
    for found in _INFIX.finditer(text):
        if found.start() == start == 0:
            continue
        if found.start() > start:
            pieces.append(text[start : found.start()])
        pieces.append(found.group())
        start = found.end()
    if start < len(text):
        pieces.append(text[start:])
    return pieces
