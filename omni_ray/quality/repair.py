"""Text that is mended rather than removed: encoding damage, and traces of people.

Both look only at lines that can need it, found by Arrow; Python sees the rest.
"""

from __future__ import annotations

import ipaddress
import re
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.modalities.lines import one_line_array

_SUSPECT = r"[^ -~]|&[#0-9A-Za-z]+;"
EMAIL, PHONE, ADDRESS, ADDRESS_6 = "email@example.com", "+1-202-555-0100", "192.0.2.1", "2001:db8::1"
"""What takes the place of personal data: names and numbers reserved for examples (RFC 2606, NANPA, RFC 5737, RFC 3849)."""

_HAS_PERSONAL = r"@|\d\.\d+\.\d|\d{3}[^0-9A-Za-z]{0,2}\d{3}|\+\d|[0-9A-Fa-f]:[0-9A-Fa-f]*:"
_EMAIL = re.compile(
    r"(?<![\w.%+-])[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}\b"
)
_ADDRESS = re.compile(
    r"(?P<before>\b(?:versions?|ver|v|releases?|builds?|firmware|drivers?|sections?|chapters?|clauses?)[ .:]{0,2})?"
    r"(?<![\d.])(?P<address>(?:\d{1,3}\.){3}\d{1,3})(?![\d.]*\d)",
    re.IGNORECASE,
)
_ADDRESS_6 = re.compile(r"(?<![\w:.])[23][0-9A-Fa-f]{3}:(?:[0-9A-Fa-f]{0,4}:){1,6}[0-9A-Fa-f]{0,4}(?![\w:])")
"""Of the addresses in use: 2000::/3 is all that is assigned."""
_COUNTRIES = (
    r"7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]"
    r"|2[1-689]\d|3[578]\d|42[013]|5[09]\d|6[789]\d|8[058]\d|9[679]\d"
)
"""Calling codes but for 1 (ITU-T E.164, its annex)."""
_AMERICAN = r"(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[.-])[2-9]\d{2}[.-]\d{4}"
_PHONE = re.compile(
    rf"(?<![\w.+-])(?:\+(?:{_COUNTRIES})[ .-]?(?:\(\d{{1,4}}\)[ .-]?|\d[ .-])?\d{{2,4}}(?:[ .-]?\d{{2,4}}){{2,4}}"
    r"|\+1[ .-]?\(?[2-9]\d{2}\)?[ .-]?[2-9]\d{2}[ .-]?\d{4}"
    rf"|(?:1[ .-])?{_AMERICAN})(?![\w-]|[.]\d)"
)


@cache
def _settings() -> Any:
    from ftfy import TextFixerConfig

    # Quotes, ligatures and full-width signs are the author's, not damage: they stay.
    return TextFixerConfig(
        unescape_html="auto",
        uncurl_quotes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        fix_line_breaks=False,
        normalization="NFC",
        explain=False,
    )


def repair(lines: pa.LargeStringArray) -> pa.LargeStringArray:
    """Lines with encoding damage mended by ftfy, and clean again; "" where nothing visible is left."""
    suspect = pc.match_substring_regex(lines, _SUSPECT)
    if not pc.any(suspect).as_py():
        return lines
    import ftfy

    settings = _settings()
    mended = pa.array([ftfy.fix_text(line, settings) for line in lines.filter(suspect).to_pylist()], pa.large_string())
    return pc.replace_with_mask(lines, suspect, one_line_array(mended))


def mask_personal(lines: pa.LargeStringArray) -> pa.LargeStringArray:
    """Lines with e-mail addresses, telephone numbers and public IP addresses replaced by ones made for examples.

    Telephone numbers: international ones with a plus sign and the code of a country, and North American ones with separators.
    Private, loopback and reserved IP addresses name nobody and stay, as do numbers of versions and sections that look like
    IPv4 addresses: after such a word, or of single digits with a zero among them.
    """
    suspect = pc.match_substring_regex(lines, _HAS_PERSONAL)
    if not pc.any(suspect).as_py():
        return lines
    masked = [mask_line(line) for line in lines.filter(suspect).to_pylist()]
    return pc.replace_with_mask(lines, suspect, pa.array(masked, pa.large_string()))


def mask_line(line: str) -> str:
    """One line with personal data replaced."""
    line = _EMAIL.sub(EMAIL, line)
    line = _ADDRESS.sub(_public, line)
    line = _ADDRESS_6.sub(_public_6, line)
    return _PHONE.sub(lambda found: PHONE if 9 <= sum(map(str.isdigit, found[0])) <= 15 else found[0], line)


def _public(found: re.Match[str]) -> str:
    address = found["address"]
    if found["before"] or (len(address) == 7 and "0" in address):
        return found[0]
    try:
        return ADDRESS if ipaddress.IPv4Address(address).is_global else found[0]
    except ValueError:
        return found[0]


def _public_6(found: re.Match[str]) -> str:
    try:
        return ADDRESS_6 if ipaddress.IPv6Address(found[0]).is_global else found[0]
    except ValueError:
        return found[0]
