"""Clips out of long recordings, where a list says from when to when a transcript is spoken.

Only such a list knows how text and speech align: recordings without one are never cut. Where exact seeking works,
only the stretch that is asked for is read and decoded; otherwise the recording is decoded from its beginning,
once for all the stretches that follow each other.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO

import numpy as np

from omni_ray.records import Unusable
from omni_ray.sources.recordings import Block, can_seek, opened

_SLACK = 0.5
"""Seconds by which a list may overrun a recording: lists are rounded, and made from other encodings of it."""
_LONGEST = 3600.0
_HEAD_BYTES = 1 << 16


class BadSegment(ValueError):
    """A segment that the recording does not have."""


class Cutter:
    """Cuts stretches out of one recording after another. Keeps the last one open: lists go through it in order."""

    def __init__(self) -> None:
        self._name: str | None = None
        self._decoder: _Decoder | None = None

    def cut(self, name: str, file: BinaryIO, start: float, end: float | None) -> bytes:
        """The recording from ``start`` to ``end``, as a WAV file of its own sampling rate and channels.

        Args:
            name: the recording's, to know it again.
            file: the recording, seekable.
            start, end: in seconds from its beginning; None for its end.

        Returns:
            16-bit PCM if the recording is, else 32-bit float: what the decoder gives, nothing rounded.

        Raises:
            BadSegment: there is no such stretch, or it is longer than an hour.
            Unusable: it is not a recording, or a broken one.
        """
        if not start >= 0 or (end is not None and not start < end):  # also where one is NaN
            raise BadSegment(f"from {start:g} to {'its end' if end is None else f'{end:g} s'} is no stretch of time")
        if end is not None and end - start > _LONGEST:
            raise BadSegment(f"from {start:g} to {end:g} s is over an hour")
        if can_seek(file.read(_HEAD_BYTES)):
            file.seek(0)
            return _sought(file, start, end)
        if self._name != name or self._decoder is None or not self._decoder.can_reach(start):
            self.close()
            file.seek(0)
            self._name, self._decoder = name, _Decoder(file.read())
        return self._decoder.cut(start, end)

    def close(self) -> None:
        """Let go of the recording."""
        if self._decoder is not None:
            self._decoder.close()
        self._name = self._decoder = None


class _Decoder:
    """A recording decoded from its beginning, of which the last stretch is kept: stretches may overlap."""

    def __init__(self, data: bytes) -> None:
        self._stack = ExitStack()
        self._recording = self._stack.enter_context(opened(data))
        self._blocks: Iterator[Block] = self._recording.blocks
        self._held: list[Block] = []
        self._first = 0  # the number of the first sample that is held
        self._behind = 0  # the number of the sample after the last

    def can_reach(self, start: float) -> bool:
        return round(start * self._recording.rate) >= self._first

    def cut(self, start: float, end: float | None) -> bytes:
        rate = self._recording.rate
        first, behind = round(start * rate), None if end is None else round(end * rate)
        self._forget(first)
        while behind is None or self._behind < behind:
            block = next(self._blocks, None)
            if block is None:
                break
            if self._behind - first > _LONGEST * rate:
                raise BadSegment(f"from {start:g} s to its end is over an hour")
            self._held.append(block.copy())
            self._behind += len(block)
            self._forget(first)
        _check(start, end, rate, self._behind)
        samples = np.concatenate(self._held)[first - self._first :]
        return _wav(samples[: None if behind is None else behind - first], rate)

    def _forget(self, first: int) -> None:
        while self._held and self._first + len(self._held[0]) <= first:
            self._first += len(self._held.pop(0))

    def close(self) -> None:
        self._stack.close()


def _sought(file: BinaryIO, start: float, end: float | None) -> bytes:
    import soundfile

    try:
        with soundfile.SoundFile(file) as recording:
            rate, length = recording.samplerate, recording.frames
            first = round(start * rate)
            _check(start, end, rate, length)
            behind = length if end is None else min(round(end * rate), length)
            if behind - first > _LONGEST * rate:
                raise BadSegment(f"from {start:g} s to its end is over an hour")
            recording.seek(first)
            samples = recording.read(behind - first, "int16" if recording.subtype == "PCM_16" else "float32", True)
    except soundfile.LibsndfileError as error:
        raise Unusable("decode_error", error.error_string.strip()) from error
    return _wav(samples, rate)


def _check(start: float, end: float | None, rate: int, length: int) -> None:
    if round(start * rate) >= length or (end is not None and end * rate > length + _SLACK * rate):
        until = "its end" if end is None else f"{end:g} s"
        raise BadSegment(f"from {start:g} to {until}, of a recording of {length / rate:.2f} s")


def _wav(samples: Block, rate: int) -> bytes:
    import soundfile

    made = io.BytesIO()
    subtype = "PCM_16" if samples.dtype == np.int16 else "FLOAT"
    soundfile.write(made, samples, rate, format="WAV", subtype=subtype)
    return made.getvalue()
