"""Names of media files: what any disk can hold, and never one name for two samples."""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b
from pathlib import PurePosixPath

_ODD = re.compile(r"[^\w.\- ]+|^[. ]+|[. ]+$")
"""What is taken out of each part of a name: other characters, and dots and spaces at its ends."""
_LONGEST_PART, _LONGEST = 120, 200
"""Bytes of a part, and of a whole name. Disks take 255, of which endings and digests need some."""
_DIGEST = 10
_SPELT = {"common_voice": "commonvoice"}


def media_file(name: str, ending: str) -> str:
    """The relative path of the media of a source's file, or row, called ``name``; different names give different paths.

    Folders stay. ``cat.jpg`` is ``cat.jpg``, and ``cat.png`` beside it ``cat.png.jpg``. Whatever a disk could not hold, or
    could take for another name (``A.wav`` for ``a.wav``), gets a digest of the whole name.

    Args:
        name: relative, with forward slashes; anything else is taken for a name all the same.
        ending: that of the media that are made, such as ``.jpg``.
    """
    is_named_so = name.endswith(ending) and name != ending
    stem = name.removesuffix(ending) if is_named_so else name
    # "a" and "a.jpg" would both be a.jpg, and "a.b" and "a.b.jpg" both a.b.jpg: one of each pair gets a digest.
    has_dot = "." in stem.rpartition("/")[2]
    plain = plain_name(stem)
    if plain != stem or has_dot == is_named_so or plain != plain.casefold():
        plain = f"{plain}-{_digest(name)}"
    return plain + ending


def is_safe_name(name: str) -> bool:
    """Whether ``name`` is a relative path that stays inside its tree (no "..", no root, no drive, no NUL)."""
    if not name or "\0" in name or "\\" in name or name[0] == "/" or name[1:2] == ":":
        return False
    return ".." not in PurePosixPath(name).parts


def flat_name(corpus: str) -> str:
    """What the flat files and media of a corpus are named after: its name, or the spelling that the specification uses."""
    return _SPELT.get(corpus, corpus)


def safe_name(name: str) -> str:
    """``name`` as it is where every disk can hold it; else what is left of it, and a digest."""
    plain = plain_name(name)
    return name if plain == name else f"{plain}-{_digest(name)}"


def plain_name(name: str) -> str:
    """``name`` without what a disk could not hold; no longer unique."""
    parts = [_ODD.sub("_", part) for part in unicodedata.normalize("NFC", name).split("/")]
    parts = [_cut(part, _LONGEST_PART) for part in parts if part]
    while len(parts) > 1 and len("/".join(parts).encode()) > _LONGEST:
        del parts[0]
    return "/".join(parts) or "_"


def word_name(word: str) -> str:
    """The file name, without ending, of a word that was cut from a photograph; ``word`` is its id."""
    return safe_name(word.replace("/", "_"))


def _cut(part: str, limit: int) -> str:
    """The last ``limit`` bytes of a part: names differ at their ends."""
    return part.encode()[-limit:].decode(errors="ignore").strip(". ") or "_"


def _digest(name: str) -> str:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_DIGEST // 2).hexdigest()
