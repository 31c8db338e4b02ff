"""Clips out of long recordings, where a table says from when to when a transcript is spoken.

Only such a list knows where text and speech meet: recordings without one are never cut. Only the stretch that is asked
for is read and decoded.
"""

from __future__ import annotations

import io
from typing import BinaryIO

_SLACK = 0.5
"""Seconds that a list may run over the end of a recording: lists are rounded, and made from other encodings of it."""
_LONGEST = 3600.0


class BadSegment(ValueError):
    """A segment that the recording does not have."""


def read_segment(file: BinaryIO, start: float, end: float) -> bytes:
    """The recording from ``start`` to ``end``, as a WAV file of its own sampling rate and channels.

    Args:
        file: an encoded recording that can be sought in.
        start, end: in seconds from its beginning.

    Returns:
        16-bit PCM where the recording is that, else 32-bit float: what the decoder gives, nothing rounded.

    Raises:
        BadSegment: no such stretch, or one of over an hour.
        soundfile.LibsndfileError: not a recording.
    """
    import soundfile

    if not 0 <= start < end:  # also where one is NaN
        raise BadSegment(f"from {start:g} to {end:g} s is no stretch of time")
    if end - start > _LONGEST:
        raise BadSegment(f"from {start:g} to {end:g} s is over an hour")
    with soundfile.SoundFile(file) as recording:
        rate, length = recording.samplerate, recording.frames
        first = round(start * rate)
        if first >= length or end * rate > length + _SLACK * rate:
            raise BadSegment(f"from {start:g} to {end:g} s, of a recording of {length / rate:.2f} s")
        is_pcm = recording.subtype == "PCM_16"
        recording.seek(first)
        samples = recording.read(min(round(end * rate), length) - first, "int16" if is_pcm else "float32", True)
    made = io.BytesIO()
    soundfile.write(made, samples, rate, format="WAV", subtype="PCM_16" if is_pcm else "FLOAT")
    return made.getvalue()
