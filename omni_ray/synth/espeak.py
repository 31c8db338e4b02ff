"""espeak-ng through ctypes: text to speech that is a pure function of its arguments.

The library keeps state from one utterance to the next (the phase of the pitch flutter, filters, a random generator
seeded with the clock), which no call resets, not even ``espeak_Terminate``. Every utterance therefore gets a freshly
loaded copy of the library with its generators seeded, and the copy is unloaded afterwards: about 4 ms in all.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from omni_ray.errors import OmniError

SAMPLE_RATE = 22_050
"""Hz; espeak-ng's own."""

_SYNCHRONOUS_RETRIEVAL = 2
_DONT_EXIT = 0x8000
_BY_CHARACTER = 1
_UTF8 = 1
_RATE, _VOLUME, _PITCH, _RANGE, _WORD_GAP = 1, 2, 3, 4, 7
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Speaker:
    """A voice.

    Attributes:
        id: names it in transcripts.
        voice: an espeak-ng voice and variant, ``en-us+f2``.
        pitch, spread: of the voice and of its intonation, 0 to 99, 50 being usual.
    """

    id: str
    voice: str
    pitch: int = 50
    spread: int = 50


def _speakers() -> tuple[Speaker, ...]:
    # A voice that is named by its file, which needs to be in lower case, loads in half the time of the others.
    accents = ("en-us", "gmw/en", "gmw/en", "en-us", "gmw/en-029", "gmw/en", "en-gb-scotland", "gmw/en")
    variants = """
        m1 f1 m2 f2 m3 f3 m4 f4 m5 f5 m6 Annie m7 belinda Andy linda Alex shelby Mike steph m8 f1 Michael f2 m1 f3
        victor f4 m2 f5 m3 Annie m8 linda m4 shelby m5 belinda m6 steph
    """.split()
    return tuple(
        Speaker(f"s{n:02d}", f"{accents[n % len(accents)]}+{variant}", 40 + n * 7 % 21, 35 + n * 11 % 31)
        for n, variant in enumerate(variants)
    )


SPEAKERS = _speakers()
"""Forty voices of four accents."""


@cache
def _paths() -> tuple[str, bytes] | None:
    """The library and its data, where the package ``espeakng-loader`` is installed and fits this machine."""
    if find_spec("espeakng_loader") is None:
        return None
    import espeakng_loader

    try:
        library, data = espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
        _unload(ctypes.CDLL(library))
    except (OSError, RuntimeError):
        return None
    return library, data.encode()


def _unload(library: ctypes.CDLL) -> None:
    import _ctypes

    _ctypes.dlclose(library._handle)


def _is_loaded(path: str) -> bool:
    try:
        _unload(ctypes.CDLL(path, mode=os.RTLD_NOLOAD))
    except OSError:
        return False
    return True


def available() -> bool:
    """Whether espeak-ng can be used here."""
    return _paths() is not None


class Utterances:
    """One loaded copy of espeak-ng; see :func:`fresh`."""

    def __init__(self, library: ctypes.CDLL, data: bytes) -> None:
        self._library = library
        self._chunks: list[bytes] = []
        # Held as an attribute: the library calls it for as long as this object lives.
        self._callback = _CALLBACK(self._take)
        if library.espeak_Initialize(_SYNCHRONOUS_RETRIEVAL, 0, data, _DONT_EXIT) != SAMPLE_RATE:
            raise OmniError("espeak-ng does not start; reinstall the package espeakng-loader")
        library.espeak_SetSynthCallback(self._callback)
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))

    def _take(self, samples: object, count: int, _events: object) -> int:
        if samples and count > 0:
            self._chunks.append(ctypes.string_at(samples, 2 * count))  # type: ignore[arg-type]
        return 0

    def speak(self, text: str, speaker: Speaker, rate: int, gap: int = 0) -> NDArray[np.int16]:
        """``text`` spoken.

        Args:
            rate: words a minute, at least 80.
            gap: extra pause between words, in units of 10 ms.

        Returns:
            int16 samples at 22,050 Hz, mono.

        Raises:
            OmniError: espeak-ng has no such voice.
        """
        self._chunks.clear()
        library = self._library
        if library.espeak_SetVoiceByName(speaker.voice.encode()) != 0:
            raise OmniError(f"espeak-ng has no voice {speaker.voice}; the package espeakng-loader is incomplete")
        settings = {_RATE: rate, _VOLUME: 100, _PITCH: speaker.pitch, _RANGE: speaker.spread, _WORD_GAP: gap}
        for parameter, value in settings.items():
            library.espeak_SetParameter(parameter, value, 0)
        data = text.encode() + b"\0"
        library.espeak_Synth(data, ctypes.c_size_t(len(data)), 0, _BY_CHARACTER, 0, _UTF8, None, None)
        library.espeak_Synchronize()
        return np.frombuffer(b"".join(self._chunks), dtype="<i2").astype(np.int16, copy=False)


@contextmanager
def fresh() -> Iterator[Utterances]:
    """espeak-ng as it is right after start, whatever was spoken before in this process.

    One thread at a time; others wait.

    Raises:
        OmniError: espeak-ng cannot be used here, or something else in this process holds it.
    """
    paths = _paths()
    if paths is None:
        raise OmniError("espeak-ng is not installed; pip install 'omni-ray[speech]'")
    with _one_at_a_time:
        if _is_loaded(paths[0]):
            raise OmniError("espeak-ng is in use by another library in this process; run this in a process of its own")
        # Some voices draw from the C library's generator, the others from espeak-ng's own.
        ctypes.CDLL(None).srand(1)
        library = ctypes.CDLL(paths[0])
        try:
            yield Utterances(library, paths[1])
            library.espeak_Terminate()
        finally:
            _unload(library)
