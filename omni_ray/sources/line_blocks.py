"""Files in which a line is a record, cut into byte ranges that can be read on their own.

A range owns the lines that begin in it; which those are follows from the bytes alone, so any cutting gives the
same lines. A line's place is its byte in the file (in the unpacked file, where it is compressed), not its number,
which a reader that begins in the middle cannot know.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.records import Rejected, SourceOptions, UnitDraft
from omni_ray.sources.form import Form, form_in, form_of, head_of_lines
from omni_ray.sources.packed import BrokenStream, unpack_proven
from omni_ray.sources.packed_ranges import open_range, plain_size
from omni_ray.sources.signatures import instead_of_text
from omni_ray.sources.tree import MemberDamaged, Tree

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANGE_BYTES = 16 << 20
"""Bytes in a range: about a second of work."""
MAX_LINE_BYTES = 64 << 20
"""A longer line is ``too_large``."""


def byte_ranges(size: int, options: SourceOptions, first: int = 0) -> Iterator[tuple[int, int | None]]:
    """[start, end) ranges that together cover bytes ``first`` to ``size``; the last end is None, the file's end."""
    step = options.scaled(RANGE_BYTES)
    for start in range(first, size, step):
        yield start, start + step if start + step < size else None


def line_units(tree: Tree, name: str, options: SourceOptions, line_bytes: int) -> Iterator[UnitDraft]:
    """Units that together cover a file of lines of about ``line_bytes`` each, for :func:`read_lines`."""
    is_large = tree.size(name) > options.scaled(RANGE_BYTES)
    data = head_of_lines(tree, name) if is_large else b""
    found = form_of(data, options.encoding, universal=True) if is_large else Form()
    try:
        size = None if instead_of_text(data) else plain_size(tree, name, options, found)
    except MemberDamaged:  # which is said where its lines are read
        size = None
    ranges = [(0, None)] if size is None else list(byte_ranges(size, options))
    form: dict[str, Any] = {"form": [options.encoding, True]} if options.encoding else {}
    form = found.as_payload() if len(ranges) > 1 else form
    for start, end in ranges:
        expected = 1 + max(0, (end or tree.size(name)) - start) // line_bytes
        yield UnitDraft({"file": name, "start": start, "end": end, **form}, (name,), samples=expected)


def line_blocks(
    file: BinaryIO, name: str, start: int = 0, end: int | None = None, form: Form = Form()
) -> Iterator[tuple[int, bytes] | Rejected]:
    """The lines that begin in bytes [start, end), in blocks of whole lines: (place of the block's first line, bytes).

    Bytes are those of ``form.plain``: UTF-8, line ends LF.

    A byte order mark is left out. A line over ``MAX_LINE_BYTES``, and the line in which a broken compressed file
    ends, are each one :class:`Rejected`.
    """
    position = max(0, start - 1)
    inside = is_ours = start == 0  # else what comes before the first line end belongs to the previous range
    rest = b""
    if position:
        file.seek(position)
    stream = form.plain(unpack_proven(file, name))
    try:
        while (end is None or position < end) and (chunk := next(stream, b"")):
            data, rest = rest + chunk, b""
            if position == 0 and data.startswith(codecs.BOM_UTF8):
                data, position = data[len(codecs.BOM_UTF8) :], len(codecs.BOM_UTF8)
            if not inside:
                at = data.find(b"\n") + 1
                position += at or len(data)
                data = data[at:] if at else b""
                inside = at > 0
                is_ours = is_ours or inside
            if not data or (end is not None and position >= end):
                continue
            last = -1 if end is None else data.find(b"\n", max(0, end - 1 - position))
            done = last >= 0
            cut = (last if done else data.rfind(b"\n")) + 1
            if cut:
                yield position, data[:cut]
            if done:
                return
            position += cut
            rest = data[cut:]
            if len(rest) > MAX_LINE_BYTES:
                yield rejected(name, "byte", position, "too_large", f"a line of more than {MAX_LINE_BYTES} bytes")
                position += len(rest)
                rest, inside = b"", False
    except BrokenStream as broken:
        if is_ours:  # else the range in which the line begins reports it
            yield from _at_end(name, position, rest, broken)
        return
    if rest:
        yield position, rest


def _at_end(name: str, position: int, rest: bytes, broken: BrokenStream) -> Iterator[tuple[int, bytes] | Rejected]:
    """What is left of a file that cannot be read further, and what is lost."""
    if broken.is_whole and rest:
        yield position, rest
        position += len(rest)
    yield rejected(name, "byte", position, broken.reason, broken.detail)


def rejected(name: str, unit: str, place: int, reason: str, detail: str) -> Rejected:
    """One row that cannot be used; ``unit`` is what ``place`` counts: "row" or "byte"."""
    return Rejected(f"{name}:{place}", f"{name}, {unit} {place}", reason, detail)


def line_spans(block: bytes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each line of a block begins and ends, without its LF."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == 10)
    if not block.endswith(b"\n"):
        ends = np.append(ends, len(block))
    starts = np.concatenate(([0], ends[:-1] + 1)) if len(ends) else np.empty(0, np.int64)
    return starts, ends


def read_lines(tree: Tree, payload: Mapping[str, Any]) -> Iterator[pa.Table | Rejected]:
    """The lines of one range as tables of ``id``, ``where`` and ``text``; blank lines are no records.

    Args:
        payload: as :func:`line_units` gives it.

    Ids are ``<file>:<byte>``. A line that does not fit the file's encoding is a :class:`Rejected` (``bad_encoding``).
    """
    name = payload["file"]
    if "form" in payload:
        form = form_in(payload)
    else:
        start = head_of_lines(tree, name)
        if what := instead_of_text(start):
            yield rejected(name, "byte", 0, "decode_error", f"{name} is {what}")
            return
        form = form_of(start, universal=True)
    try:
        with open_range(tree, name, payload["start"], payload["end"], form) as (file, form):
            for block in line_blocks(file, name, payload["start"], payload["end"], form):
                if isinstance(block, Rejected):
                    yield block
                else:
                    yield from _as_table(name, *block, form.fault)
    except MemberDamaged as error:
        if not payload["start"]:  # the first range says it for all of them
            yield rejected(name, "byte", 0, "decode_error", str(error))


def _as_table(name: str, position: int, block: bytes, fault: str) -> Iterator[pa.Table | Rejected]:
    starts, _ = line_spans(block)
    offsets = np.append(starts, len(block)).astype(np.int64)
    # The line feed stays with its line: it is white space to the cleaning, and the buffer need not be copied.
    text = pa.LargeStringArray.from_buffers(len(starts), pa.py_buffer(offsets), pa.py_buffer(block))
    places = pa.array(starts + position)
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        good = np.array([_is_utf8(line) for line in text.cast(pa.large_binary()).to_pylist()], dtype=bool)
        for place in places.filter(pa.array(~good)).to_pylist():
            yield rejected(name, "byte", place, "bad_encoding", f"the line is {fault}")
        mask = pa.array(good)
        text, places = text.cast(pa.large_binary()).filter(mask).cast(pa.large_string()), places.filter(mask)
    visible = pc.not_equal(pc.binary_length(pc.utf8_ltrim_whitespace(text)), 0)
    text, places = text.filter(visible), places.filter(visible).cast(pa.string())
    if len(text):
        yield pa.table(
            {
                "id": pc.binary_join_element_wise(pa.scalar(name), places, ":"),
                "where": pc.binary_join_element_wise(pa.scalar(name), places, ", byte "),
                "text": text,
            }
        )


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
