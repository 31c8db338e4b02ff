"""Whether a fetched file is what its name says, as far as a quick look at its ends tells."""

from __future__ import annotations

import bz2
import codecs
import gzip
import os
import tarfile
import zipfile
from pathlib import Path

from omni_ray.sources.kinds import archive_kind

_LOOK_BYTES = 1024


def content_problem(path: Path, name: str) -> str | None:
    """What a quick look says: a zip's directory, a tar's first member, a dump's first byte, the ends of a JSON text.

    An error page is none of these, nor is it plain text.
    """
    kind = archive_kind(name)
    try:
        if kind == "zip":
            with zipfile.ZipFile(path):
                return None
        if kind is not None:
            with tarfile.open(path, f"r:{kind.removeprefix('tar').removeprefix('.')}") as tar:  # type: ignore[call-overload]
                return None if tar.next() is not None else "it is an empty archive"
        if name.endswith((".bz2", ".gz")):
            with (bz2 if name.endswith(".bz2") else gzip).open(path) as file:
                file.read(1)
        elif name.endswith((".txt", ".json")):
            return _text_problem(path, name)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        return f"it is no {kind or name.rpartition('.')[2]} ({error})"
    return None


def _text_problem(path: Path, name: str) -> str | None:
    with open(path, "rb") as file:
        begin = file.read(_LOOK_BYTES).removeprefix(codecs.BOM_UTF8).lstrip()
        file.seek(-min(_LOOK_BYTES, path.stat().st_size), os.SEEK_END)
        end = file.read().rstrip()
    if begin[:9].lower().startswith((b"<!doctype", b"<html")):
        return "it is a web page"
    if name.endswith(".json") and (begin[:1], end[-1:]) not in {(b"{", b"}"), (b"[", b"]")}:
        return "it is no JSON, or not all of it"
    return None
