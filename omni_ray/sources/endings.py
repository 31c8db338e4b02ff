"""The endings of media files that a source is searched for, in one place."""

from __future__ import annotations

AUDIO = tuple(
    """
    .wav .flac .mp3 .ogg .oga .opus .aiff .aif .aifc .au .snd .caf .w64 .rf64 .sph .mp1 .mp2 .m4a .m4b .mp4 .aac .webm
    .weba .mka .wma .amr .3gp .spx .wv .ape .tta
    """.split()
)
"""Recordings that :mod:`omni_ray.sources.recordings` reads; with the dot, in lower case."""
