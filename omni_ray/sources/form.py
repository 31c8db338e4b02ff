"""How a text file is written: its encoding and its line ends; and its bytes as UTF-8 lines that end in LF."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omni_ray.errors import SourceError
from omni_ray.sources.encoding import HINT, has_mark, recoded, sniff
from omni_ray.sources.packed import BrokenStream, unpack
from omni_ray.sources.tree import Tree

HEAD_BYTES = 1 << 20


@dataclass(frozen=True)
class Form:
    """How a file is written.

    Attributes:
        codec: its encoding.
        cr: CR is a line end: classic Macs', and in text with one record per line, any.
        is_recoded: a copy in UTF-8 is read.
    """

    codec: str = "utf-8"
    cr: bool = False
    is_recoded: bool = False

    @property
    def is_utf8(self) -> bool:
        return self.codec == "utf-8"

    @property
    def fault(self) -> str:
        """What to say about bytes that do not fit."""
        return f"not UTF-8; {HINT}" if self.is_utf8 else f"not valid in {self.codec}"

    def as_payload(self) -> dict[str, Any]:
        """Part of a unit's payload, for :func:`form_in`."""
        return {} if self == Form() else {"form": [self.codec, self.cr]}

    def plain(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """A file's bytes as UTF-8. If the file is UTF-8, every byte keeps its position."""
        if not self.is_utf8 and not self.is_recoded:
            chunks = recoded(chunks, self.codec)
        # CRLF becomes two line ends, so that no byte moves; blank lines are no records.
        return (chunk.replace(b"\r", b"\n") for chunk in chunks) if self.cr else chunks


def form_in(payload: Mapping[str, Any]) -> Form:
    """The form that a unit's payload names."""
    return Form(*payload.get("form", ()))


def form_of(data: bytes, encoding: str = "", *, universal: bool = False) -> Form:
    """The form of a file.

    Args:
        data: its beginning, or all of it.
        encoding: the codec that the user named, "" for none.
        universal: CR is a line end wherever it stands; otherwise only if the first line ends in one.
    """
    codec = encoding if encoding and not has_mark(data) else sniff(data)
    start = next(Form(codec).plain(iter([data[:HEAD_BYTES]])), b"")
    place = start.find(b"\r")
    return Form(codec, universal or (place >= 0 and b"\n" not in start[: place + 2]))


def head(tree: Tree, name: str) -> bytes:
    """The first MB of a file, unpacked. Raises SourceError where it cannot be unpacked."""
    data = b""
    with tree.open(name) as file:
        try:
            for chunk in unpack(file, name):
                data += chunk
                if len(data) >= HEAD_BYTES:
                    break
        except BrokenStream:
            if not data:
                raise SourceError(f"{name}: the file cannot be unpacked; fetch it again") from None
    return data[:HEAD_BYTES]


def head_of_lines(tree: Tree, name: str) -> bytes:
    """The same of a text; nothing where it cannot be unpacked, which is said where its lines are read."""
    try:
        return head(tree, name)
    except SourceError:
        return b""


def start_of(data: bytes, form: Form, *, whole_lines: bool = True) -> bytes:
    """A file's first MB as UTF-8; with ``whole_lines``, without a line that is cut off."""
    text = b"".join(form.plain(iter([data]))).removeprefix(codecs.BOM_UTF8)
    if whole_lines and len(data) >= HEAD_BYTES and b"\n" in text:
        text = text[: text.rfind(b"\n") + 1]
    return text


def plain_chunks(tree: Tree, name: str, form: Form) -> Iterator[bytes]:
    """All of a file, unpacked, as UTF-8 without a mark. Raises BrokenStream after all that could be read."""
    with tree.open(name) as file:
        chunks = form.plain(unpack(file, name))
        yield next(chunks, b"").removeprefix(codecs.BOM_UTF8)
        yield from chunks
