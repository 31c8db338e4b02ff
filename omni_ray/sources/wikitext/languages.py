"""How languages write dates and numbers."""

from __future__ import annotations

import re
from functools import cache

# Months as written in a date, and a date's order and words: {d} day, {m} month, {y} year.
_DATES = {
    "en": ("{m} {d}, {y}", "January February March April May June July August September October November December"),
    "fr": ("{d} {m} {y}", "janvier février mars avril mai juin juillet août septembre octobre novembre décembre"),
    "de": ("{d}. {m} {y}", "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"),
    "es": ("{d} de {m} de {y}", "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"),
    "pt": ("{d} de {m} de {y}", "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro"),
    "it": ("{d} {m} {y}", "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre"),
    "nl": ("{d} {m} {y}", "januari februari maart april mei juni juli augustus september oktober november december"),
    "sv": ("{d} {m} {y}", "januari februari mars april maj juni juli augusti september oktober november december"),
    "da": ("{d}. {m} {y}", "januar februar marts april maj juni juli august september oktober november december"),
    "no": ("{d}. {m} {y}", "januar februar mars april mai juni juli august september oktober november desember"),
    "fi": (
        "{d}. {m} {y}",
        "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta syyskuuta lokakuuta"
        " marraskuuta joulukuuta",
    ),
    "ca": ("{d} de {m} de {y}", "gener febrer març abril maig juny juliol agost setembre octubre novembre desembre"),
    "ro": ("{d} {m} {y}", "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie"),
    "pl": ("{d} {m} {y}", "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia"),
    "cs": ("{d}. {m} {y}", "ledna února března dubna května června července srpna září října listopadu prosince"),
    "ru": ("{d} {m} {y}", "января февраля марта апреля мая июня июля августа сентября октября ноября декабря"),
    "uk": ("{d} {m} {y}", "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня"),
    "bg": ("{d} {m} {y}", "януари февруари март април май юни юли август септември октомври ноември декември"),
    "sr": ("{d}. {m} {y}", "јануар фебруар март април мај јун јул август септембар октобар новембар децембар"),
    "tr": ("{d} {m} {y}", "Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık"),
    "id": ("{d} {m} {y}", "Januari Februari Maret April Mei Juni Juli Agustus September Oktober November Desember"),
    "hu": ("{y}. {m} {d}.", "január február március április május június július augusztus szeptember október november december"),
    "el": ("{d} {m} {y}", "Ιανουαρίου Φεβρουαρίου Μαρτίου Απριλίου Μαΐου Ιουνίου Ιουλίου Αυγούστου Σεπτεμβρίου Οκτωβρίου Νοεμβρίου Δεκεμβρίου"),
    "vi": ("ngày {d} tháng {m} năm {y}", "1 2 3 4 5 6 7 8 9 10 11 12"),
    "ar": ("{d} {m} {y}", "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر"),
    "he": ("{d} ב{m} {y}", "ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר"),
    "fa": ("{d} {m} {y}", "ژانویه فوریه مارس آوریل مه ژوئن ژوئیه اوت سپتامبر اکتبر نوامبر دسامبر"),
    "ja": ("{y}年{m}月{d}日", "1 2 3 4 5 6 7 8 9 10 11 12"),
    "zh": ("{y}年{m}月{d}日", "1 2 3 4 5 6 7 8 9 10 11 12"),
    "ko": ("{y}년 {m}월 {d}일", "1 2 3 4 5 6 7 8 9 10 11 12"),
}  # fmt: skip
_NO_DAY = {"ja": "{y}年{m}月", "zh": "{y}年{m}月", "ko": "{y}년 {m}월", "hu": "{y}. {m}", "vi": "tháng {m} năm {y}"}
_OF = frozenset({"es", "pt", "ca"})
# The separators of thousands and of decimals; other languages write as English does.
_THOUSANDS = {
    **dict.fromkeys(
        ("de", "es", "it", "nl", "pt", "da", "id", "tr", "el", "ca", "ro", "sr", "vi", "eu", "gl"), (".", ",")
    ),
    **dict.fromkeys(
        ("fr", "ru", "pl", "sv", "no", "cs", "fi", "uk", "bg", "hu", "sk", "eo", "et", "lv", "lt"), (" ", ",")
    ),
}
_FROM_FIVE_DIGITS = frozenset({"es", "pt", "pl", "bg"})
_PLAIN_NUMBER = re.compile(r"([-+\u2212]?)(\d{1,40})(?:\.(\d+))?")


@cache
def _months(lang: str) -> tuple[str, ...]:
    return tuple(_DATES.get(lang, _DATES["en"])[1].split())


def month(lang: str, given: str) -> str:
    """The month as written in a date: a number from 1 to 12 in words, a word as it is."""
    return _months(lang)[int(given) - 1] if given.isdecimal() and len(given) < 3 and 1 <= int(given) <= 12 else given


def date(lang: str, year: str, month_given: str, day: str, day_first: bool = False) -> str:
    """A date in words; empty parts are left out."""
    form = _DATES.get(lang, _DATES["en"])[0]
    if lang == "en" and day_first:
        form = "{d} {m} {y}"
    name = month(lang, month_given)
    if not name:
        return year
    day = day.lstrip("0") or day
    if not day:
        form = _NO_DAY.get(lang, "{m} de {y}" if lang in _OF else "{m} {y}")
    elif lang == "fr" and day == "1":
        day = "1er"
    if not year:
        form = re.sub(r"(?:,| de)? ?\{y\}[年년.]? ?| năm \{y\}", "", form)
    return form.format(d=day, m=name, y=year).strip()


def number(lang: str, given: str) -> str:
    """A number as a computer writes it, with thousands and decimals as the language does; anything else as it is."""
    plain = _PLAIN_NUMBER.fullmatch(given.replace(",", "").replace(" ", "") if lang == "en" else given)
    if plain is None:
        return given
    sign, whole, decimals = plain.groups()
    thousands, point = _THOUSANDS.get(lang, (",", "."))
    if len(whole) >= (5 if lang in _FROM_FIVE_DIGITS else 4):
        whole = f"{int(whole):,}".replace(",", thousands)
    return f"{sign}{whole}{point}{decimals}" if decimals else f"{sign}{whole}"
