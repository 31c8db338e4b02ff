"""Files that are there for a program or a reader, and are nobody's data: recognised by their names."""

from __future__ import annotations

import re

_FURNITURE = re.compile(
    # Hidden files, and what macOS, Windows, file servers and Spark leave behind.
    r"\.|__MACOSX$|(?:Thumbs\.db|desktop\.ini|@eaDir|lost\+found|_SUCCESS|_metadata|_common_metadata)$"
    r"|\$RECYCLE\.BIN$|System Volume Information$|Icon\r$",
    re.IGNORECASE,
)
_DOCUMENTATION = re.compile(
    r"(?:read[-_ ]?me|licen[cs]e|copying|notice|authors|attribution|changelog|changes|citation|contributing|credits|install"
    r"|md5sums?|sha\d*sums?|checksums?|manifest-\w+|dataset_infos?|dataset_dict|state|index)(?:[-_.][\w.-]*)?$"
    r"|\d+_stats\.json"  # img2dataset's
    r"|.*\.(?:md5|sha1|sha256|sha512|sha1sums|asc|sig|crc|torrent|url|lnk|aria2|bib)$",
    re.IGNORECASE,
)


def is_furniture(name: str) -> bool:
    """Whether a file or folder of this name (without its folder) is a system's own: it is skipped silently."""
    return _FURNITURE.match(name) is not None


def is_hidden(name: str) -> bool:
    """Whether a file of this name is skipped because it is hidden, and may be somebody's data all the same: ``...And.mp3``."""
    return name.startswith(".") and not name.startswith("._")


def is_documentation(name: str) -> bool:
    """Whether a file of this name is about the data: a read-me, a licence, checksums."""
    return _DOCUMENTATION.fullmatch(name) is not None
