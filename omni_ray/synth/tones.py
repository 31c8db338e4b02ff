"""Stand-in speech for machines without espeak-ng: every letter is a chord of its own.

It is not speech, as is stated wherever it is used; but a recogniser can learn it, since sounds and letters map one to one.
A letter sounds a pair of frequencies (the first picks its row, the second its column, as on a telephone keypad); a
space is silent; an accent is a flutter on the plain letter's chord.
"""

from __future__ import annotations

import unicodedata

import numpy as np
from numpy.typing import NDArray

from omni_ray.synth.espeak import SAMPLE_RATE, SPEAKERS, Speaker

_LOW = (320.0, 410.0, 520.0, 660.0, 840.0, 1060.0)
_HIGH = (1350.0, 1620.0, 1940.0, 2320.0, 2780.0, 3330.0, 3990.0)
_LETTERS = "abcdefghijklmnopqrstuvwxyz'0123456789-,.?"
_CHARACTERS_PER_WORD = 6
"""Length of a word with its space: turns words a minute into characters a second."""
_FLUTTER_HZ = 28.0


def _envelope(count: int) -> NDArray[np.float64]:
    """Rise, hold, fall to silence: two equal letters in a row stay two sounds."""
    edge = max(1, count // 5)
    rise = np.sin(np.linspace(0.0, np.pi / 2, edge)) ** 2
    return np.concatenate([rise, np.ones(count - 2 * edge), rise[::-1]])


def speak(text: str, speaker: Speaker, rate: int, gap: int = 0) -> NDArray[np.int16]:
    """``text`` as chords.

    Args:
        text: letters of :data:`_LETTERS`, in either case and with or without accents; others are silent.
        speaker: its place among the speakers sets the pitch and the strength of the overtones.
        rate: words a minute, a word being six characters.
        gap: extra pause between words, in units of 10 ms.

    Returns:
        int16 samples at 22,050 Hz, mono, 0.1 s of silence at both ends.
    """
    number = SPEAKERS.index(speaker) if speaker in SPEAKERS else 0
    pitch = 2.0 ** ((number % 9 - 4) / 48)
    overtone = 0.1 + 0.05 * (number % 7)
    count = int(SAMPLE_RATE * 60 / (rate * _CHARACTERS_PER_WORD))
    time = np.arange(count) / SAMPLE_RATE
    envelope = _envelope(count)
    silence = np.zeros(SAMPLE_RATE // 10)
    sounds = [silence]
    for character in text.lower():
        plain, *marks = list(unicodedata.normalize("NFD", character))
        place = _LETTERS.find(plain)
        if place < 0:
            sounds.append(np.zeros(count + gap * SAMPLE_RATE // 100))
            continue
        low, high = _LOW[place % len(_LOW)] * pitch, _HIGH[place // len(_LOW)] * pitch
        wave = np.sin(2 * np.pi * low * time) + 0.7 * np.sin(2 * np.pi * high * time)
        wave += overtone * np.sin(4 * np.pi * low * time)
        if marks:
            wave *= 0.6 + 0.4 * np.sin(2 * np.pi * _FLUTTER_HZ * time)
        sounds.append(wave * envelope)
    samples = np.concatenate([*sounds, silence]) * (0.4 * 32767 / 2.0)
    return np.clip(samples, -32768, 32767).astype(np.int16)
