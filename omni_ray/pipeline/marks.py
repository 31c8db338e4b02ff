"""What the records of a unit are, in six bytes each: by these, files of a source that hold the same records are found.

A record's mark is made from what it says, a text or the media and their text, and from nothing else: the same record has the
same mark in whatever file it is. A unit keeps the marks of its records, of many those below a limit, which is a half, a
quarter, ... of all: so two files can be compared by the marks that both of their limits let pass. They are
part of its manifest, and depend on the records alone, not on how many are read at once.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from omni_ray.digests import number_of
from omni_ray.pipeline.asked import Asked, Met, Numbers

if TYPE_CHECKING:
    import pyarrow as pa

MARK_BITS = 48
FEWEST, _MOST = 64, 256
"""Marks that a unit keeps, or up to half as many, where it has more: of a large corpus, and of a small one."""
_ALL = 1 << 14
"""Marks of all units, about, below which each may keep more than the fewest."""
MAX_LEVEL = 9
"""A unit keeps one mark of 2**9 at least: a small file is to be found in a large one."""
_EXACT = (1 << 32) - 1
"""The bits of a mark that are a hash of the whole. The others are of a few of its bytes, so that most need no hash."""
_GLANCE_BITS = 16
_STIR = np.uint64(0x9E3779B97F4A7C15)
_NONE = np.uint64((1 << 64) - 1)
_WINDOWS, _WINDOW_BYTES = 16, 512
"""How much of media is looked at, spread evenly, besides their length."""
_PLACE = re.compile(r"(?::\d+|, [^,:]*\d)(?:: |$)|: ")
"""Where in ``where`` a file's name ends and a place in it begins."""


def file_of(where: str) -> tuple[str, bool]:
    """The file that a record is in, and whether the file is the record."""
    place = _PLACE.search(where)
    return where[: place.start()] if place else where, not place


def enough_of(units: int) -> int:
    """How many marks each of so many units keeps: by halves, since more units may come."""
    return max(FEWEST, min(_MOST, _ALL >> max(0, units - 1).bit_length()))


class Marks:
    """The marks of a unit's records.

    Args:
        media, said: the columns of raw rows that hold media ("" for none), and what is said: a text, captions, words.
        enough: how many are kept. Where they are the fewest, files that are one record each are counted by their folders.
        asked: records of texts that it tells of, whatever else it keeps.
    """

    def __init__(self, media: str, said: str, enough: int, asked: Asked | None = None) -> None:
        self._media = media
        self._said = said
        self._enough = enough
        self._met = None if asked is None else Met(asked)
        self._level = 0
        self._of: dict[str, Counter[int]] = {}
        self._count = 0

    def add(self, rows: pa.Table) -> None:
        """Mark raw rows."""
        found = self._of_media(rows) if self._media else self._of_texts(rows)
        for where, marks in found:
            low = [mark for mark in marks if mark >> (MARK_BITS - self._level) == 0]
            if low and where is not None:
                name, is_whole = file_of(where)
                by_folder = is_whole and self._enough == FEWEST
                self._keep(name[: name.rfind("/") + 1] or "/" if by_folder else name, low)

    def as_json(self) -> dict[str, Any]:
        """``level``, how often the number of all marks was halved, and ``of``: file or folder -> its marks, as base64.

        Where small files are asked about, ``small`` are those it has records of, and ``met``: file -> small file -> how many
        records that has, and the marks of those that are in both.
        """
        packed = {name: _packed(sorted(marks.elements())) for name, marks in sorted(self._of.items()) if marks}
        found: dict[str, Any] = {"level": self._level, "of": packed} if packed else {}
        if self._met is not None and self._met.small:
            found["small"] = self._met.small
        if self._met is not None and (met := {name: _met_packed(shared) for name, shared in self._met.items()}):
            found["met"] = met
        return found

    def _keep(self, name: str, marks: Iterable[int]) -> None:
        """A file that says something twice counts once, two files of a folder that say the same count twice."""
        kept = self._of.setdefault(name, Counter())
        for mark in marks:
            if name.endswith("/") or mark not in kept:
                kept[mark] += 1
                self._count += 1
        while self._count > self._enough and self._level < MAX_LEVEL:
            self._rise(self._level + 1)

    def _rise(self, level: int) -> None:
        self._level = level
        for each, counts in self._of.items():
            self._of[each] = Counter({m: n for m, n in counts.items() if m >> (MARK_BITS - level) == 0})
        self._count = sum(counts.total() for counts in self._of.values())

    def _of_texts(self, rows: pa.Table) -> Iterator[tuple[str, list[int]]]:
        told = _Texts(rows, self._said)
        if self._met is not None:
            for where, quick, mark in told.marks(self._met.asked.rows_of(told.quick)):
                self._met.add(file_of(where)[0], quick, mark)
        self._rise(self._least_level(told.quick))
        for where, _, mark in told.marks(np.flatnonzero(told.quick < _limit(self._level))):
            yield where, [mark]

    def _least_level(self, quick: Numbers) -> int:
        """The level that these alone will come to: texts above it need not be hashed."""
        for level in range(MAX_LEVEL, self._level, -1):
            if len(np.unique(quick[quick < _limit(level - 1)])) > self._enough:
                return level
        return self._level

    def _of_media(self, rows: pa.Table) -> Iterator[tuple[str, list[int]]]:
        for row, media in enumerate(rows[self._media]):
            data = media.as_buffer()
            if data is None or (glance := _glance(memoryview(data))) >> (_GLANCE_BITS - self._level):
                continue
            start = _windows(memoryview(data))
            texts = {_plain(each) for each in _listed(rows[self._said][row].as_py())}
            yield rows["where"][row].as_py(), [glance << 32 | _exact(start, text) for text in sorted(texts)]


def marks_of_texts(rows: pa.Table, said: str) -> Iterator[tuple[str, int, int]]:
    """For each text in raw rows: where it is, the number that its mark begins with, and its mark."""
    told = _Texts(rows, said)
    return told.marks(np.flatnonzero(told.quick < _NONE))


class _Texts:
    """Texts of raw rows; ``quick`` is a number for each, and the greatest of all for those without a mark."""

    def __init__(self, rows: pa.Table, said: str) -> None:
        self._where = rows["where"]
        self._text, self._starts, self._ends = _texts(rows[said])
        self.quick = _quick(self._text, self._starts, self._ends)
        self.quick[self._ends <= self._starts] = _NONE
        if self._where.null_count:
            self.quick[self._where.is_null().to_numpy()] = _NONE

    def marks(self, chosen: npt.NDArray[np.int64]) -> Iterator[tuple[str, int, int]]:
        """As :func:`marks_of_texts`, of some rows."""
        for row, where in zip(chosen.tolist(), self._where.take(chosen).to_pylist(), strict=True):
            exact = number_of(self._text[self._starts[row] : self._ends[row]].tobytes(), 4)
            quick = int(self.quick[row])
            yield where, quick, quick >> 16 & ~_EXACT | exact


def _texts(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The bytes of texts, and where each begins and ends, without the line end."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    chunk = pc.fill_null(whole.cast(pa.large_string()), "")
    _, offsets, data = chunk.buffers()
    ends = np.frombuffer(offsets, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
    text = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    if len(text) < 8:
        text = np.concatenate([text, np.zeros(8, np.uint8)])
    starts, ends = ends[:-1], ends[1:].copy()
    for sign in b"\n\r":
        ends -= (ends > starts) & (text[np.maximum(ends, 1) - 1] == sign)
    return text, starts, ends


def _quick(text: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> Numbers:
    """A number for each text, of its length and of eight bytes each at three places."""
    eights: Numbers = np.ndarray((len(text) - 7,), np.dtype("<u8"), text, strides=(1,))
    lengths = ends - starts
    third = np.maximum(lengths - 8, 0) // np.int64(3)
    place = np.minimum(starts, len(eights) - 1) + third
    numbers = _stirred(lengths.astype(np.uint64) ^ eights[place])
    place += third
    numbers = _stirred(numbers ^ eights[place])
    numbers = _stirred(numbers ^ eights[np.maximum(ends - 8, 0)])
    short = np.flatnonzero(lengths < 8)
    if len(short):
        # The eight bytes go on behind such a text, or begin before it where all texts end.
        at = np.minimum(starts[short], len(eights) - 1)
        head = eights[at] >> ((starts[short] - at) * 8).clip(0, 63).astype(np.uint64)
        head <<= ((8 - lengths[short]).clip(0, 7) * 8).astype(np.uint64)
        numbers[short] = _stirred(_stirred(head) + lengths[short].astype(np.uint64))
    return numbers


def _stirred(numbers: Numbers) -> Numbers:
    numbers = numbers * _STIR
    numbers ^= numbers >> np.uint64(29)
    return numbers


def _glance(view: memoryview) -> int:
    """16 bits of media's length, and of some bytes before and in their middle."""
    third = len(view) // 3
    told = blake2b(view[third : third + 32], digest_size=2, salt=len(view).to_bytes(8, "little"))
    told.update(view[2 * third : 2 * third + 32])
    return int.from_bytes(told.digest(), "little")


def _windows(view: memoryview) -> Any:
    """A hash that has been fed the media."""
    told = blake2b(len(view).to_bytes(8, "little"), digest_size=4)
    if len(view) <= _WINDOWS * _WINDOW_BYTES:
        told.update(view)
    else:
        for number in range(_WINDOWS):
            place = (len(view) - _WINDOW_BYTES) * number // (_WINDOWS - 1)
            told.update(view[place : place + _WINDOW_BYTES])
    return told


def _limit(level: int) -> np.uint64:
    """A hash of 64 bits."""
    return np.uint64((1 << (64 - level)) - 1)


def _listed(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]


def _plain(said: Any) -> str:
    """What is said, whatever its case and signs: annotations come in versions. For a word its place, too, not what it is called."""
    if isinstance(said, Mapping):
        place = [number and f"{number:.0f}" for number in said["quad"] or ()]
        return f"{_plain(said['text'])} {place}"
    return "".join(filter(str.isalnum, str(said).casefold())) or str(said)


def _exact(start: Any, text: str) -> int:
    told = start.copy()
    told.update(text.encode("utf-8", "backslashreplace"))
    return int.from_bytes(told.digest(), "little")


def _packed(marks: list[int]) -> str:
    return b64encode(np.array(marks, "<u8").view(np.uint8).reshape(-1, 8)[:, :6].tobytes()).decode()


def _met_packed(shared: Mapping[str, tuple[int, list[int]]]) -> dict[str, tuple[int, str]]:
    return {small: (size, _packed(marks)) for small, (size, marks) in shared.items()}


def unpacked(text: str) -> Numbers:
    """The marks of a file or folder, in ascending order. Raises ValueError where ``text`` is not from :meth:`Marks.as_json`."""
    six = np.frombuffer(b64decode(text, validate=True), np.uint8).reshape(-1, 6)
    return np.hstack([six, np.zeros((len(six), 2), np.uint8)]).view("<u8").ravel()
