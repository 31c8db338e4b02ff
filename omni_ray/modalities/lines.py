"""Making text safe for files in which a line is a record.

The trainers split the corpus at LF, CR and CRLF only, drop undecodable bytes, and strip each line. What they
would lose or mangle is mended here, once, for text lines, transcripts, captions and labels alike.
"""

from __future__ import annotations

import re
import unicodedata

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
