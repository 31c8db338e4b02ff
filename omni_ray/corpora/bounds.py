"""How much goes into a unit: a number of records, and no more media than a task can hold and a shard should."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from omni_ray.corpora.base import SourceOptions
from omni_ray.errors import SourceError
from omni_ray.sources.audio_headers import seconds_of
from omni_ray.sources.kinds import AUDIO

if TYPE_CHECKING:
    from omni_ray.sources.tree import Tree

Item = TypeVar("Item")
_EXPANSIONS: WeakKeyDictionary[Tree, dict[str, float]] = WeakKeyDictionary()
"""What was found out about a source's folders."""

UNIT_BYTES = 256 << 20
"""The media of a unit, in decoded bytes: two hours of speech."""
BYTES_A_SECOND = 32_000
"""Of decoded speech, 16 bits at 16 kHz."""
EXPANSION = 12
"""How many times larger than its file a lossy recording may be decoded: 21 kbit a second, which is low for speech."""
_FLAC_EXPANSION = 2
_LONGEST_SECONDS = 1e6
_LOOK_BYTES, _PLAIN_LOOK_BYTES = 1 << 16, 1 << 24
"""Silence is a hundredth of what it decodes to: from this size on, a compressed file in a folder is asked how long it is."""
_HEAD_BYTES, _TAIL_BYTES = 1 << 10, 1 << 16
_THRIFTY = (".amr", ".opus", ".ogg", ".oga", ".spx")
"""Formats for voices, which may be a fiftieth of what they decode to."""
_PLAIN = (".wav", ".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64", ".sph")


def runs(
    items: Iterable[Item], options: SourceOptions, records: int, weigh: Callable[[Item], int]
) -> Iterator[list[Item]]:
    """Items in runs that a unit each can hold, in order; one that is too heavy on its own is a run by itself.

    Args:
        items: in canonical order.
        options: ``unit_scale`` makes units smaller.
        records: the most items of a run.
        weigh: bytes of decoded media of an item.
    """
    run: list[Item] = []
    cut = UnitBounds(options, records)
    for item in items:
        if cut.before(weigh(item)):
            yield run
            run = []
        run.append(item)
    if run:
        yield run


def in_a_unit(options: SourceOptions, records: int, weight: int) -> int:
    """How many records of this weight each a unit holds: ``records``, or fewer."""
    return max(1, min(options.scaled(records), options.scaled(UNIT_BYTES) // weight))


def stretch_weight(seconds: float) -> int:
    """The decoded bytes of a stretch of speech; 0 where it has no length that a recording can have."""
    return round(seconds * BYTES_A_SECOND) if 0 < seconds < _LONGEST_SECONDS else 0


class UnitBounds:
    """Says where units end, for readers that go through their records one by one."""

    def __init__(self, options: SourceOptions, records: int) -> None:
        self._most, self._most_bytes = options.scaled(records), options.scaled(UNIT_BYTES)
        self._records = self._bytes = 0

    def before(self, weight: int) -> bool:
        """Whether a new unit begins with the next record, which weighs ``weight`` bytes."""
        is_full = self._records >= self._most or (self._records > 0 and self._bytes + weight > self._most_bytes)
        if is_full:
            self._records = self._bytes = 0
        self._records += 1
        self._bytes += weight
        return is_full

    def after(self, records: int, weight: int) -> bool:
        """Whether the unit is full once these are added to it; then a new one begins."""
        self._records += records
        self._bytes += weight
        is_full = self._records >= self._most or self._bytes >= self._most_bytes
        if is_full:
            self._records = self._bytes = 0
        return is_full


def media_weight(tree: Tree, name: str) -> int:
    """About how many bytes a media file takes once decoded; 0 where there is none."""
    try:
        size = tree.size(name)
    except (OSError, ValueError):
        return 0
    ending = name[name.rfind(".") :].lower()
    if ending not in AUDIO:
        return size
    if ending == ".flac":
        seconds = _seconds(tree, name, size) if size >= _LOOK_BYTES and tree.local_path(name) is not None else 0
        return max(size, round(seconds * BYTES_A_SECOND)) if seconds else size * _FLAC_EXPANSION
    if ending not in _PLAIN and ending not in _THRIFTY:
        return size * EXPANSION
    is_large = size >= (_LOOK_BYTES if ending in _THRIFTY else _PLAIN_LOOK_BYTES) and tree.local_path(name) is not None
    times = _expansion(tree, name, ending, size) if is_large else _of_its_folder(tree, name, ending, size)
    return round(size * times)


def _of_its_folder(tree: Tree, name: str, ending: str, size: int) -> float:
    """The first file that is asked about speaks for all files of its ending in a folder."""
    known = _EXPANSIONS.setdefault(tree, {})
    key = name[: name.rfind("/") + 1] + ending
    if key not in known:
        known[key] = _expansion(tree, name, ending, size)
    return known[key]


def _expansion(tree: Tree, name: str, ending: str, size: int) -> float:
    """How many times larger a recording is once decoded, judging by its bytes: at least 1."""
    if seconds := _seconds(tree, name, size):
        return max(1.0, seconds * BYTES_A_SECOND / size)
    return 1.0 if ending in _PLAIN else EXPANSION


def _seconds(tree: Tree, name: str, size: int) -> float:
    """How long a recording is, judging by its bytes; 0 where they do not say, or cannot be read."""
    try:
        with tree.open(name) as file:
            head = file.read(_HEAD_BYTES)
            if head.startswith(b"OggS") and size > _HEAD_BYTES:
                file.seek(max(_HEAD_BYTES, size - _TAIL_BYTES))
                return seconds_of(head, file.read(_TAIL_BYTES), size)
            return seconds_of(head, head, size)
    except (OSError, ValueError, SourceError):
        return 0
