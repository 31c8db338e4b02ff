"""What the trainers hear: how long a clip must be, and how much text it may have."""

from __future__ import annotations

from itertools import pairwise

SAMPLING_RATE = 16_000
"""Hz. The multimodal trainer resamples nothing: a clip at another rate is heard at another speed."""
MIN_SAMPLES = 513
"""The mel transform reflects half of its window of 1,024 samples at either end; shorter clips are dropped."""
DOWNSAMPLING = (8, 4, 2)
"""What the audio encoder's ``downsample_time`` can be; the first is its default."""
MEL_HOP = 160
"""Samples from one mel frame to the next."""


def ctc_frames(num_samples: int, downsampling: int = DOWNSAMPLING[0]) -> int:
    """Output frames of the audio encoder for a clip at 16 kHz: mel frames, downsampled in time."""
    return (1 + num_samples // MEL_HOP) // downsampling


def ctc_needed(text: str) -> int:
    """Frames that CTC needs for ``text``: one for each character, and a blank between two equal neighbours.

    Graves et al., "Connectionist temporal classification", 2006: a path must visit every label, and cannot merge
    equal neighbours without a blank between them. Where the encoder gives fewer, the loss is exactly 0.
    """
    return len(text) + sum(a == b for a, b in pairwise(text))
