"""Templates of measures and numbers: ``{{convert}}``, ``{{val}}``, ``{{frac}}``, ``{{formatnum:}}``, money."""

from __future__ import annotations

import re

from omni_ray.sources.wikitext.languages import number
from omni_ray.sources.wikitext.marks import APART
from omni_ray.sources.wikitext.rules import Call, Rule

_RANGES = {
    "-": "–", "–": "–", "&ndash;": "–", "to": " to ", "to(-)": " to ", "-to-": " to ", "to about": " to about ", "and": " and ",
    "and(-)": " and ", "and-": " and ", "or": " or ", "by": " by ", "by(x)": " by ", "x": " × ", "xx": " × ", "*": " × ",
    "×": " × ", "+": " + ", "+/-": " ± ", "±": " ± ", "±+": " ± ", "&": " & ", ",": ", ", ", and": ", and ", ", or": ", or ",
    "à": " à ", "a": " a ", "bis": " bis ", "et": " et ", "und": " und ", "y": " y ", "e": " e ", "до": " до ", "至": "至", "~": "–",
}  # fmt: skip
_UNITS = {
    "km2": "km²", "sqkm": "km²", "m2": "m²", "sqm": "m²", "cm2": "cm²", "mm2": "mm²", "m3": "m³", "cm3": "cm³", "km3": "km³",
    "cc": "cc", "sqmi": "sq mi", "mi2": "sq mi", "sqft": "sq ft", "sqfoot": "sq ft", "ft2": "sq ft", "sqin": "sq in", "sqyd": "sq yd",
    "cuft": "cu ft", "ft3": "cu ft", "cuin": "cu in", "cuyd": "cu yd", "cumi": "cu mi", "c": "°C", "°c": "°C", "f": "°F", "°f": "°F",
    "k": "K", "c-change": "°C", "f-change": "°F", "lbs": "lb", "usgal": "US gal", "impgal": "imp gal", "floz": "fl oz",
    "usoz": "US fl oz", "foot": "feet", "inch": "inches", "acre": "acres", "mile": "miles", "yard": "yards", "metre": "metres",
    "meter": "meters", "kilometre": "kilometres", "kilometer": "kilometers", "lt": "long tons", "st": "short tons", "nmi": "nmi",
    "kn": "knots", "knot": "knots", "kmh": "km/h", "kph": "km/h", "m/s": "m/s", "u.s.gal": "US gal", "ftlbf": "ft⋅lbf",
    "kg/m3": "kg/m³", "lb/ft3": "lb/cu ft", "/sqmi": "per square mile", "/km2": "per square kilometre", "pd/sqmi": "per square mile",
    "pd/km2": "per square kilometre", "mpgus": "mpg", "oz": "oz", "ozt": "troy oz", "e6acre": "million acres", "e3km2": "thousand km²",
    "impgal/d": "imp gal per day", "m3/s": "m³/s", "cuft/s": "cu ft/s", "mi/h": "mph", "tonne": "tonnes", "hectare": "hectares",
}  # fmt: skip
_CASED = {
    "ST": "short tons",
    "LT": "long tons",
    "PS": "PS",
    "F": "°F",
    "C": "°C",
    "K": "K",
    "L": "L",
    "st": "st",
    "Mm3": "million m³",
}
_BELOW = {
    "ft": ("in", "inch"), "foot": ("in", "inch"), "feet": ("in", "inches"), "st": ("lb", "lbs"), "lb": ("oz",), "yd": ("ft", "in"),
    "mi": ("yd", "ft", "chain", "ch", "furlong"), "ch": ("yd",), "long ton": ("long cwt",), "lt": ("cwt",), "m": ("cm",), "km": ("m",),
    "h": ("min",), "min": ("s", "sec"), "°": ("'",), "imppt": ("impoz",), "stone": ("lb", "lbs"),
}  # fmt: skip
_ONE = {
    "feet": "foot",
    "inches": "inch",
    "acres": "acre",
    "miles": "mile",
    "yards": "yard",
    "tonnes": "tonne",
    "hectares": "hectare",
}
_NUMBER = re.compile(r"[-+\u2212~]?[\d.,\u00a0 ]*\d(?:e-?\d+)?(?:[+\u2044/ ]+\d+(?:/{1,2}\d+)?)?%?\.?|[½¼¾⅓⅔⅛⅜⅝⅞]")
_VULGAR = {
    "1/2": "½", "1/3": "⅓", "2/3": "⅔", "1/4": "¼", "3/4": "¾", "1/5": "⅕", "2/5": "⅖", "3/5": "⅗", "4/5": "⅘", "1/6": "⅙",
    "5/6": "⅚", "1/8": "⅛", "3/8": "⅜", "5/8": "⅝", "7/8": "⅞", "1/7": "⅐", "1/9": "⅑", "1/10": "⅒",
}  # fmt: skip
_SUPERSCRIPT = str.maketrans("0123456789-\u2212+", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻⁺")


def convert(call: Call) -> str | None:
    """``{{convert|5|to|10|km|mi}}``: the measure that is given, not the one it is converted to."""
    given = call.positional
    if not given or not _NUMBER.fullmatch(_plain(given[0])):
        return call.first("1") or None
    shown = _fractions(given[0])
    place = 1
    while place + 1 < len(given) and given[place].lower() in _RANGES and _NUMBER.fullmatch(_plain(given[place + 1])):
        shown += _RANGES[given[place].lower()] + _fractions(given[place + 1])
        place += 2
    if place >= len(given) or not given[place]:
        return shown
    unit = given[place]
    shown += " " + _unit(unit, shown)
    below = _BELOW.get(unit.lower(), ())
    if len(given) > place + 2 and given[place + 2].lower() in below and _NUMBER.fullmatch(_plain(given[place + 1])):
        shown += f" {_fractions(given[place + 1])} {_unit(given[place + 2], given[place + 1])}"
    return shown


def _plain(value: str) -> str:
    return value.replace("&nbsp;", " ").replace("&minus;", "-").replace("⁄", "/").replace(APART, "").strip()


def _unit(unit: str, amount: str) -> str:
    name = _CASED.get(unit) or _UNITS.get(unit.lower(), unit)
    return _ONE.get(name, name) if amount == "1" else name


def _fractions(value: str) -> str:
    """``5+1/2`` as 5½."""
    if "/" not in value:
        return _plain(value)
    whole, plus, part = value.rpartition("+")
    top, _, bottom = part.replace("//", "/").partition("/")
    return _fraction(whole if plus else "", top.strip(), bottom.strip()).replace(APART, "")


def _fraction(whole: str, top: str, bottom: str) -> str:
    sign = APART if not whole else ""
    vulgar = _VULGAR.get(f"{top}/{bottom}")
    if vulgar:
        return whole + vulgar
    return f"{whole}{' ' if whole else sign}{top}⁄{bottom}"


def fraction(call: Call) -> str | None:
    """``{{frac|5|1|2}}``: whole and fraction; ``{{frac|4}}`` is a quarter."""
    given = [value for value in call.positional if value]
    if len(given) == 1:
        return _fraction("", "1", given[0]) if given[0].isdecimal() else given[0]
    if len(given) == 2:
        return _fraction("", *given)
    return _fraction(*given[:3]) if given else None


def value(call: Call) -> str | None:
    """``{{val|1234.5|0.3|e=3|u=km}}``: number, uncertainty, power of ten and unit."""
    if not call.positional:
        return None
    shown = call.get("p") + number("en", call.get("1"))
    second, third = call.get("2"), call.get("3")
    if third:
        shown += f" +{second.lstrip('+')}/−{third.lstrip('-−')}"
    elif second:
        shown += second if second.startswith("(") else f"±{second.lstrip('±')}"
    if call.get("e"):
        shown += f"×10{superscript(call.get('e'))}"
    unit = call.first("u", "ul", "up", "upl")
    return f"{shown}{call.get('s')} {unit}".rstrip()


def superscript(text: str) -> str:
    """``-3`` as ⁻³."""
    return text.translate(_SUPERSCRIPT) if re.fullmatch(r"[-+\u2212]?\d+", text) else text


def power(call: Call) -> str:
    """``{{e|5}}``: ×10⁵."""
    return f"×10{superscript(call.get('1'))}"


def formatted(call: Call) -> str:
    """``{{formatnum:2500}}`` as the language writes it."""
    return number(call.wiki.base or "en", call.first("1", "n", "num"))


def with_unit(call: Call) -> str | None:
    """``{{unité|12|km}}``, ``{{unité|3|m|2}}``: number and unit, with its power."""
    given = call.positional
    if not given:
        return None
    shown = number(call.wiki.base or "en", given[0].replace(" ", "") if re.fullmatch(r"[\d ]+", given[0]) else given[0])
    for name in ("à", "a", "et", "ou", "-", "–", "par", "x", "×", "y", "e", "до", "—"):
        if len(given) > 2 and given[1] == name:
            shown += f" {name} {number(call.wiki.base or 'en', given[2])}"
            given = ["", *given[3:]]
    for place in range(1, len(given), 2):
        unit, exponent = given[place], given[place + 1] if place + 1 < len(given) else ""
        if not unit and not re.fullmatch(r"[-\u2212+]?\d+", exponent):
            unit, exponent = exponent, ""
        shown += (" " if unit else "") + unit + (superscript(exponent) if exponent != "1" else "")
    unit = call.first("u", "ul", "unité", "unidad")
    shown += f" {unit}" if unit else ""
    if call.get("e"):
        shown += f"×10{superscript(call.get('e'))}"
    return shown


def temperature(call: Call) -> str | None:
    """``{{tmp|20|°C}}``."""
    amount, unit = call.get("1"), call.get("2").lstrip("°")
    return f"{amount} °{unit[:1].upper() if unit else 'C'}" if amount else None


def money(symbol: str) -> Rule:
    """``{{US$|5|million}}``: the symbol before the amount; on its own, just the symbol."""

    def rule(call: Call) -> str:
        amount = call.get("1")
        if not re.search(r"\d", amount):
            return symbol
        more = (
            call.get("2")
            if re.fullmatch(r"[^\W\d]+\.?", call.get("2")) and not call.get("2").startswith("link")
            else ""
        )
        space = " " if symbol[-1:].isalpha() and len(symbol) > 1 else ""
        return f"{symbol}{space}{amount} {more}".rstrip()

    return rule


_CODES = {
    "USD": "US$", "EUR": "€", "GBP": "£", "JPY": "¥", "CNY": "¥", "INR": "₹", "RUB": "₽", "KRW": "₩", "AUD": "A$", "CAD": "C$",
    "NZD": "NZ$", "HKD": "HK$", "SGD": "S$", "TWD": "NT$", "BRL": "R$", "MXN": "Mex$", "PHP": "₱", "ILS": "₪", "TRY": "₺",
    "UAH": "₴", "VND": "₫", "THB": "฿", "NGN": "₦", "KZT": "₸",
}  # fmt: skip


def currency(call: Call) -> str | None:
    """``{{currency|5|USD}}``, ``{{monnaie|5|euro}}``."""
    amount, code = call.first("1", "amount"), call.first("2", "type", "currency")
    if not amount:
        return None
    return _CODES[code.upper()] + amount if code.upper() in _CODES else f"{amount} {code}".rstrip()


def percentage(call: Call) -> str | None:
    """``{{percentage|1|4}}``: 25%."""
    try:
        share = 100 * float(call.get("1")) / float(call.get("2"))
        return f"{share:.{min(9, int(call.get('3') or 0))}f}%"
    except (ValueError, ZeroDivisionError, OverflowError):
        return f"{call.get('1')}%" if call.get("1") and not call.get("2") else None


def height(call: Call) -> str | None:
    """``{{height|ft=6|in=2}}``, ``{{height|m=1.85}}``."""
    given = [f"{call.get(unit)} {unit}" for unit in ("ft", "in", "m", "cm", "mm") if call.get(unit)]
    return " ".join(given[:2] if call.get("ft") else given[:1]) or None


def duration(call: Call) -> str | None:
    """``{{duration|h=1|m=30|s=5}}``: 1:30:05."""
    given = [call.first(name, place) for name, place in (("h", "1"), ("m", "2"), ("s", "3"))]
    while given and not given[0]:
        given.pop(0)
    shown = [given[0], *(f"{part or '0':0>2}" for part in given[1:])] if given else []
    return ":".join(shown) or None
