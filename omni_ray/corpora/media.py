"""Fetching a media file that an annotation names: its bytes, or why there are none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omni_ray.corpora.base import Rejected
from omni_ray.media_names import is_safe_name
from omni_ray.sources.tree import MemberDamaged, MemberTooLarge, Tree

MAX_MEDIA_BYTES = 512 << 20
"""No clip or picture that is worth training on is larger."""
_SHOWN_CHARS = 300


def is_input(tree: Tree, name: str) -> bool:
    """Whether a medium's name can be that of a file whose change makes a shard stale, whether or not it exists."""
    return is_safe_name(name) or tree.exists(name)


def fetch(
    tree: Tree,
    name: str,
    ident: str,
    where: str,
    *,
    records: int = 1,
    limit: int = MAX_MEDIA_BYTES,
    read: Callable[[Tree, str, int], bytes] = lambda tree, name, limit: tree.read(name, limit),
) -> bytes | Rejected:
    """The bytes of ``name``, or the rejection of the record that names it.

    ``bad_path`` where the name leaves the source, ``missing_media`` where there is no such file, ``too_large`` and
    ``decode_error`` where it cannot be read whole. A file that vanishes while a run is under way looks missing
    here; the pipeline notices that the unit's inputs changed, and does not commit it. ``read`` takes the tree, the
    name and the limit, and reads all of it, or the part that is wanted.
    """
    shown = name.encode("utf-8", "replace").decode()
    is_text = shown == name
    is_there = is_text and tree.exists(name)
    shown = shown if len(shown) <= _SHOWN_CHARS else f"{shown[:_SHOWN_CHARS]}..."
    if not is_there and not (is_text and is_safe_name(name)):  # a name that is not text fits into no table
        return Rejected(ident, where, "bad_path", f"{shown}: {_why_bad(name)}", records)
    if not is_there:
        return Rejected(ident, where, "missing_media", f"no {shown}", records)
    try:
        return read(tree, name, limit)
    except MemberTooLarge as error:
        return Rejected(ident, where, "too_large", str(error), records)
    except MemberDamaged as error:
        return Rejected(ident, where, "decode_error", str(error), records)
    except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
        return Rejected(ident, where, "missing_media", f"{shown}: {(error.strerror or 'gone').lower()}", records)


def with_medium(tree: Tree, name: str, where: str, role: str, row: dict[str, Any]) -> dict[str, Any] | Rejected:
    """A record with the bytes of ``name`` in the column ``role``; or its rejection, of all its ``records``, at ``where``."""
    data = fetch(tree, name, row["id"], where, records=row.get("records", 1))
    return data if isinstance(data, Rejected) else {**row, role: data}


def _why_bad(name: str) -> str:
    """What is wrong with a path, and what to do."""
    if name.startswith("/") or name[1:2] == ":":
        return "an absolute path; --media-root FOLDER says where the files are"
    if ".." in name.split("/"):
        return "leads out of the source; --source or --media-root with a folder above reaches it"
    if "\\" in name:
        return "a Windows path (backslashes) of a file that is not there"
    return "not a name of a file"
