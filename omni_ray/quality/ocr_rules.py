"""The rules for pictures of words and their labels."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.quality.image_rules import Pictures, short_edge, source_sizes
from omni_ray.quality.rules import BOTH, OURS, Change, Rule, Values, column


def _labels(words: Pictures) -> pa.Array:
    return pc.fill_null(words.rows["text"].combine_chunks(), "")


def _length(words: Pictures) -> Values:
    return pc.utf8_length(_labels(words)).to_numpy().astype(np.float64)  # type: ignore[no-any-return]


def _printed_share(words: Pictures) -> Values:
    """Share of letters, their marks, digits, punctuation, currency and mathematical signs, and blanks."""
    labels = _labels(words)
    printed = pc.utf8_length(pc.replace_substring_regex(labels, r"[^\p{L}\p{M}\p{N}\p{P}\p{Sc}\p{Sm} °©®™^`]", ""))
    return printed.to_numpy() / np.maximum(pc.utf8_length(labels).to_numpy(), 1)  # type: ignore[no-any-return]


def _width_of_character(words: Pictures) -> Values:
    """Width of a character in heights of the word, along the word's longer edge; NaN where sizes are unknown."""
    width, height = source_sizes(words)
    long, short = np.maximum(width, height), np.maximum(np.minimum(width, height), 1)
    return long / short / np.maximum(_length(words), 1)


OCR_RULES: tuple[Rule | Change, ...] = (
    Rule("label_length", "word", "text_length", "characters of the label", OURS, _length, low=1, high=64, presets=BOTH),
    Rule("label_alphabet", "word", "alphabet", "share of signs that are printed", OURS, _printed_share, low=1.0, presets=BOTH),
    Rule("word_contrast", "word", "contrast", "range of brightness, of 255", OURS, column(2), low=20, presets=BOTH),
    Rule("word_edge", "word", "small_source", "pixels of the word's shorter edge before resizing", OURS, short_edge, low=8, presets=("strict",)),
    Rule("character_width", "word", "label_mismatch", "width of a character in heights of the word", OURS, _width_of_character, low=0.1, high=4.0, presets=("strict",)),
)  # fmt: skip
