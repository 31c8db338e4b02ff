"""Whether a text makes sense as writing: what tells the right decoding of some bytes from a wrong one.

Bytes in an unknown encoding can be decoded in many ways. The wrong ones leave letters that no language has side by
side, capitals within words, symbols between letters, and characters that nobody uses.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from functools import lru_cache

MOST_ODD = 0.03
"""Share of the characters beyond ASCII that may be odd: names and words of other languages."""
_MOST_ACCENTS = 0.6
"""Share of letters with accents in words that have any: other scripts taken for Latin have nearly all."""
_CONTROLS = re.compile(r"[\0-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f]")
_WORD = re.compile(r"[^\W\d_]+(?:[’'·-][^\W\d_]+)*")
_BEYOND_ASCII = re.compile(r"[^\0-\x7f]")
# Punctuation and signs of running text. All others are odd, and so are these between two letters, except the last four.
_SIGNS = frozenset("«»„“”‚‘‹›–—―…•°§€£¥©®™¿¡№×÷±½¼¾²³µªº¹†‡¶\xa0\xad´" + "’·‐‑")
_ABBREVIATED = re.compile(r"[A-Za-z]{0,3}[ªº]|µ[A-Za-z]?")
_NEVER_AFTER_LETTERS = frozenset("±¶¿¡")
_WITHIN_WORDS = frozenset("’·‐‑\xad")
_WIDE_SIGNS = re.compile(
    r"[\u2190-\u21ff\u2200-\u22ff\u2460-\u24ff\u25a0-\u266f\u3000-\u303f\uff00-\uff65\uffe0-\uffe6]"
)

_LATIN = {
    "Western": "",
    "French": "àâæçéèêëîïôœùûüÿ",
    "German": "äöüßéàè",
    "Spanish": "áéíóúüñ",
    "Catalan": "àçéèíïóòúü",
    "Portuguese": "áâãàçéêíóôõúü",
    "Italian": "àèéìíîòóùú",
    "Dutch": "áàâäçéèêëíïîóôöúüĳ",
    "Swedish": "åäöéàü",
    "Danish": "æøåéöäü",
    "Norwegian": "æøåéèêòóôàü",
    "Icelandic": "áðéíóúýþæö",
    "Finnish": "äöåšž",
    "Estonian": "äöüõšž",
    "Irish": "áéíóú",
    "Welsh": "âêîôûŵŷáéïö",
    "Polish": "ąćęłńóśźż",
    "Czech": "áčďéěíňóřšťúůýž",
    "Slovak": "áäčďéíĺľňóôŕšťúýž",
    "Slovene": "čšžćđ",
    "Hungarian": "áéíóöőúüű",
    "Romanian": "ăâîșțşţ",
    "Albanian": "çë",
    "Turkish": "çğıöşüâîûi̇",
    "Azerbaijani": "çəğıöşüi̇",
    "Lithuanian": "ąčęėįšųūž",
    "Latvian": "āčēģīķļņšūžōŗ",
    "Maltese": "ċġħżàèìòù",
    "Esperanto": "ĉĝĥĵŝŭ",
    "Vietnamese": "àảãáạăằẳẵắặâầẩẫấậđèẻẽéẹêềểễếệìỉĩíịòỏõóọôồổỗốộơờởỡớợùủũúụưừửữứựỳỷỹýỵ",
    "Hawaiian": "āēīōū",
}
_CYRILLIC = {
    "Russian": "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "Russian before 1918": "абвгдеёжзиійклмнопрстуфхцчшщъыьѣэюяѳѵ",
    "Ukrainian": "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "Belarusian": "абвгдеёжзійклмнопрстуўфхцчшыьэюя",
    "Bulgarian": "абвгдежзийклмнопрстуфхцчшщъьюя",
    "Serbian": "абвгдђежзијклљмнњопрстћуфхцчџш",
    "Macedonian": "абвгдѓежзѕијклљмнњопрстќуфхцчџшѐѝ",
    "Kazakh": "аәбвгғдеёжзийкқлмнңоөпрстуұүфхһцчшщъыіьэюя",
}
_SCRIPTS = {
    **dict.fromkeys(("CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "IDEOGRAPHIC"), "CJK"),
    **dict.fromkeys(("MASCULINE", "FEMININE", "MICRO"), "Latin"),
}
_ONE_LETTER_WORDS = frozenset("àáâåæèéêìíîòóôöøõùúûőįыи")
_ONE_LETTER = re.compile(r"(?m)(?:^|(?<=[A-Za-z]\s)|(?<=[A-Za-z]\W\s))([^\W\d_\0-\x7f])(?=\s\W?[A-Za-z])")
"""Among words of plain letters."""
_SIGNS_IN_A_ROW = re.compile(r"([^\w\s\0-\x7f])(?!\1)[^\w\s\0-\x7f](?!\1)[^\w\s\0-\x7f]")
_SPACED_IDEOGRAPH = re.compile("[\u3400-\u9fff] (?=[\u3400-\u9fff])")
_KANA = re.compile("[\u3041-\u30fa]")
_USUAL_IDEOGRAPHS = frozenset(
    "的一是不了在人有我他這这個个們们中來来上大為为和國国地到以說说時时要就出會会可也你對对生能而子那之年過过後后作裡里文無无用"
)
_MISPLACED = re.compile(
    "ς(?=[α-ωά-ώ])|[ךםןףץ](?=[א-ת])|[ةى](?=[ء-غف-ي])"  # forms for the end of words only
    "|(?<![ก-ฮ\u0e31\u0e34-\u0e3a\u0e47-\u0e4e])[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]|[เ-ไ](?![ก-ฮ])"  # vowels without consonants
)
_FEW_IDEOGRAPHS = re.compile(r"[A-Za-z]*(?:[a-z]\W?[^\0-\x7f]{1,2}|[^\0-\x7f]{1,2}\W?[a-z])[A-Za-z]*")
_FREQUENT = {
    "French": "le la les de des du et un une est dans que qui il elle ne pas je vous nous au pour sur ce se en",
    "German": "der die das und ist ein eine ich nicht mit den dem von zu sich auf er sie es im des war wie",
    "Spanish": "el la los las de que y en un una es por con no se su del al para lo le",
    "Catalan": "el la els les de que i en un una amb no es per del al",
    "Portuguese": "o a os as de que e do da em um uma com no na se por para dos ao",
    "Italian": "il la le di che e un una in non con si per del della da al lo gli i sono",
    "Dutch": "de het een en van ik te dat die in is niet op met zijn er aan voor hij",
    "Swedish": "och att det i en som av den med om ett inte han jag var hade sig hon de",
    "Danish": "og at det i en den til er som de med han af for ikke der var jeg",
    "Norwegian": "og i det er en som at den til de med han av for ikke var jeg",
    "Finnish": "ja on ei se oli en mutta kun hän joka ettei kuin",
    "Polish": "i w nie na z do to jest o co jak ale po tak za od",
    "Czech": "a se v na je to s z do o i jako ale tak od po pro",
    "Slovak": "a sa v na je to s z do o ale ako tak od po pre",
    "Hungarian": "a az egy nem hogy volt meg el ki mint csak van ha",
    "Romanian": "de la cu un o nu pe din ce ca mai se care sau",
    "Turkish": "bir ve bu da de ne o ile gibi ama daha var",
    "Slovene": "in je na se da so ne v za z s",
    "Albanian": "dhe i e me nga se te ka nuk",
    "Lithuanian": "ir kad su bet tai kaip buvo jis",
    "Latvian": "un ir no ar par ka uz bet tas",
    "Estonian": "ja on ei et see oli ta kui",
}
"""Words without accents that every page has."""
_GREEK = {"Greek": "αάβγδεέζηήθιίϊΐκλμνξοόπρσςτυύϋΰφχψωώ"}


def is_plausible(text: str) -> bool:
    """Whether ``text``, decoded from some bytes, can be what its author wrote."""
    return oddness(text) <= MOST_ODD


def oddness(text: str) -> float:
    """The share of odd characters among those beyond ASCII; 1.0 where there is anything that no text has."""
    beyond = _BEYOND_ASCII.findall(text)
    if _CONTROLS.search(text) or any(_is_unused(character) for character in set(beyond)):
        return 1.0
    letters: Counter[str] = Counter()
    latin = accents = 0
    odd = _odd_signs(text) + len(_MISPLACED.findall(text)) + 3 * len(_SIGNS_IN_A_ROW.findall(text))
    odd += sum(_script(each) != "Latin" or each.lower() not in _ONE_LETTER_WORDS for each in _ONE_LETTER.findall(text))
    for match in _WORD.finditer(text):
        word = match[0]
        if not word.isascii():
            found = {_script(letter) for letter in word if letter.isalpha()}
            count = len(_BEYOND_ASCII.findall(word))
            if _is_odd(word, found):
                odd += count
            if found == {"Latin"} and len(word) > 1:
                latin += sum(len(part) for part in re.split(r"\W", word) if not part.isascii())
                accents += sum(letter.isalpha() and not letter.isascii() for letter in word)
            letters.update(letter for letter in word.lower() if not letter.isascii() and letter.isalpha())
    if accents > _MOST_ACCENTS * latin or _are_spaced(text):
        return 1.0
    odd += _outside(letters, "Latin", _LATIN) + _outside(letters, "Cyrillic", _CYRILLIC)
    odd += _outside(letters, "Greek", _GREEK) + _rare_ideographs(letters)
    return odd / max(1, len(beyond))


def frequent_words(text: str) -> int:
    """How many of the words are frequent in a language with the text's letters: the most in any language."""
    words = Counter(re.findall(r"[a-z]+", text.lower()))
    letters = Counter(c for c in text.lower() if not c.isascii() and c.isalpha())
    fitting = (
        language
        for language in _FREQUENT
        if sum(n for letter, n in letters.items() if letter not in _LATIN[language]) <= MOST_ODD * letters.total()
    )
    return max((sum(words[word] for word in _FREQUENT[each].split()) for each in fitting), default=0)


def is_kana(text: str) -> bool:
    """Whether kana are a good part of the characters beyond ASCII."""
    return 10 * len(_KANA.findall(text)) > len(_BEYOND_ASCII.findall(text))


def is_shouted(text: str) -> bool:
    """Whether letters beyond ASCII are capitals, with few exceptions."""
    cased = Counter(letter.isupper() for letter in _BEYOND_ASCII.findall(text) if letter.lower() != letter.upper())
    return cased[True] > 4 * cased[False]


def is_wide(text: str) -> bool:
    """Whether some of it is Chinese, Japanese or Korean."""
    return len(re.findall("[\u3041-\u30fa\u3400-\u9fff\uac00-\ud7a3]", text)) >= 3


def _are_spaced(text: str) -> bool:
    """Whether there are ideographs in short words, as Korean has them, and hardly one of those that every Chinese text has."""
    spaced = len(_SPACED_IDEOGRAPH.findall(text))
    ideographs = re.findall("[\u3400-\u9fff]", text) if spaced else []
    return 8 * spaced > len(ideographs) and 50 * sum(each in _USUAL_IDEOGRAPHS for each in ideographs) < len(ideographs)


@lru_cache(maxsize=4096)
def _is_unused(character: str) -> bool:
    return unicodedata.category(character) in ("Cn", "Co", "Cs", "Cc") and character != "\x85"


def _odd_signs(text: str) -> int:
    odd = 0
    for match in re.finditer(r"[^\w\s\0-\x7f]", text):
        sign, at = match[0], match.start()
        before, after = text[at - 1 : at], text[at + 1 : at + 2]
        if unicodedata.category(sign) in ("Mn", "Mc"):
            odd += before.isascii() and sign > "\u036f"  # marks of other scripts than Latin
            continue
        if (sign in _NEVER_AFTER_LETTERS and before.isalpha()) or (sign == "\xad" and not before.isalpha()):
            odd += 1
            continue
        if sign in _WITHIN_WORDS or _WIDE_SIGNS.match(sign) or unicodedata.category(sign) == "Cf":
            continue
        is_inside = before.isalpha() and after.isalpha() and before.isascii() | after.isascii()
        odd += (sign not in _SIGNS and unicodedata.category(sign) != "Po") or (is_inside and sign not in "—–…")
    return odd


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    """The first word of the letter's name: LATIN, CYRILLIC, CJK, ..."""
    if letter.isascii():
        return "Latin"
    if "\u3130" <= letter <= "\u318f":
        return "Jamo"
    name = unicodedata.name(letter, "?").partition(" ")[0]
    return _SCRIPTS.get(name, name.capitalize())


def _is_odd(word: str, scripts: set[str]) -> bool:
    if len(scripts) > 1 and (scripts != {"Latin", "CJK"} or _FEW_IDEOGRAPHS.fullmatch(word)):
        return True
    if (re.search(r"[ªºµ]", word) and not _ABBREVIATED.fullmatch(word)) or "HALFWIDTH" in "".join(
        unicodedata.name(c, "") for c in word[:1]
    ):
        return True
    return any(a.islower() and b.isupper() and not (a.isascii() and b.isascii()) for a, b in itertools.pairwise(word))


def _outside(letters: Counter[str], script: str, languages: dict[str, str]) -> int:
    """How many letters of a script are missing from the language that has the most of them."""
    there = {letter: count for letter, count in letters.items() if _script(letter) == script}
    if not there:
        return 0
    return min(
        sum(count for letter, count in there.items() if letter not in alphabet) for alphabet in languages.values()
    )


def _rare_ideographs(letters: Counter[str]) -> int:
    """Ideographs beyond those that Chinese and Japanese use every day, if there are more than names explain."""
    there = {letter: count for letter, count in letters.items() if "\u3400" <= letter <= "\u9fff"}
    rare = sum(count for letter, count in there.items() if not _is_common(letter))
    return rare if rare > 0.15 * sum(there.values()) else 0


@lru_cache(maxsize=16384)
def _is_common(ideograph: str) -> bool:
    # The first level of each national standard holds the characters of daily use.
    for codec, first, last in (("gb2312", 0xB0, 0xD7), ("big5", 0xA4, 0xC6), ("euc_jp", 0xB0, 0xCF)):
        code = ideograph.encode(codec, "ignore")
        if code and first <= code[0] <= last:
            return True
    return False
