"""Whether a Parquet or Arrow file follows another one in the same file, as ``cat`` leaves them.

Readers begin at the end, and what they find there counts bytes from the beginning of its own file: they would take the other
file's bytes for those of this one.
"""

from __future__ import annotations

import struct
from typing import Any

_PIECE_BYTES = 1 << 20
_PARQUET = b"PAR1"
_ARROW = b"ARROW1"
_ARROW_FILLED = b"ARROW1\0\0"
_ARROW_TAIL = struct.Struct("<i6s")
"""The footer's bytes, and what every file ends with."""
_BLOCKS = (2, 3)
"""The fields of an Arrow footer that say where the dictionaries and the record batches are."""
_BLOCK = struct.Struct("<qi4xq")
"""Where it begins; bytes of its description, and of its values."""


def is_joined_parquet(file: Any, footer_at: int, end: int) -> bool:
    """Whether another Parquet file is in ``file`` before the last one.

    Args:
        file: a file that can be read anywhere.
        footer_at: where the last footer begins.
        end: where the values end that this footer tells of, by its own count; indexes may come between.
    """
    return _meets(file, footer_at - end, _PARQUET, _PARQUET)


def is_joined_arrow(file: Any, size: int) -> bool:
    """The same of a sound Arrow file of so many bytes."""
    file.seek(size - _ARROW_TAIL.size)
    length, _ = _ARROW_TAIL.unpack(file.read(_ARROW_TAIL.size))
    footer_at = size - _ARROW_TAIL.size - length
    file.seek(footer_at)
    return _meets(file, footer_at - _arrow_end(file.read(length)), _ARROW, _ARROW_FILLED)


def _arrow_end(footer: bytes) -> int:
    """Where the dictionaries and record batches of an Arrow file end, by the count of its footer, a table of FlatBuffers."""
    table = _number("<I", footer, 0)
    fields = table - _number("<i", footer, table)
    end = len(_ARROW_FILLED)
    for field in _BLOCKS:
        place = 4 + 2 * field
        held = _number("<H", footer, fields + place) if place < _number("<H", footer, fields) else 0
        if not held:
            continue
        blocks = table + held + _number("<I", footer, table + held)
        for number in range(_number("<I", footer, blocks)):
            end = max(end, sum(_BLOCK.unpack_from(footer, blocks + 4 + number * _BLOCK.size)))
    return end


def _number(form: str, data: bytes, at: int) -> int:
    return int(struct.unpack_from(form, data, at)[0])


def _meets(file: Any, latest: int, ending: bytes, beginning: bytes) -> bool:
    """Whether one file ends and another begins no later than at byte ``latest``; most likely near it."""
    wanted = ending + beginning
    stop = latest + len(beginning)
    while stop >= len(wanted):
        start = max(0, stop - _PIECE_BYTES)
        file.seek(start)
        if wanted in file.read(stop - start):
            return True
        stop = start + len(wanted) - 1 if start else 0
    return False
