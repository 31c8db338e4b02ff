"""Measurements of documents that published heuristics cut by: Gopher's quality rules, and FineWeb's.

Each function takes :class:`~omni_ray.quality.documents.Documents` and returns one float64 for every document.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.quality.characters import character_class
from omni_ray.quality.documents import Documents
from omni_ray.quality.rules import Values

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
SHORT_LINE = 30
"""Characters up to which FineWeb calls a line short."""


def _ratio(part: npt.NDArray[np.generic], whole: npt.NDArray[np.generic]) -> Values:
    return np.asarray(part, np.float64) / np.maximum(np.asarray(whole, np.float64), 1)


def words(docs: Documents) -> Values:
    """Words: tokens that are not all punctuation."""
    return docs.word_counts.astype(np.float64)


def mean_word_length(docs: Documents) -> Values:
    """Mean characters of a word."""
    return _ratio(docs.per_token(docs.tokens.length * docs.tokens.is_word), docs.word_counts)


def hashes_per_token(docs: Documents) -> Values:
    """Hash signs for each token."""
    return _ratio(docs.per_line(pc.count_substring(docs.lines, "#").to_numpy()), docs.token_counts)


def ellipses_per_token(docs: Documents) -> Values:
    """Ellipses (three dots, or the character) for each token."""
    dots = pc.count_substring(docs.lines, "...").to_numpy() + pc.count_substring(docs.lines, "…").to_numpy()
    return _ratio(docs.per_line(dots), docs.token_counts)


def bullet_lines(docs: Documents) -> Values:
    """Share of lines that begin with a bullet or a hyphen."""
    return _ratio(docs.per_line(docs.line_has("^[•-]")), docs.line_counts)


def ellipsis_lines(docs: Documents) -> Values:
    """Share of lines that end in an ellipsis."""
    return _ratio(docs.per_line(docs.line_has(r"(?:\.\.\.|…)$")), docs.line_counts)


def tokens_with_letters(docs: Documents) -> Values:
    """Share of tokens that hold a letter."""
    return _ratio(docs.per_token(docs.tokens.has_letter), docs.token_counts)


def stop_words(docs: Documents) -> Values:
    """How many different ones of eight common English words occur, in lower case."""
    found = np.zeros(len(docs))
    number = pc.index_in(docs.tokens.strings, pa.array(STOP_WORDS, pa.large_string())).fill_null(-1).to_numpy()
    for word in range(len(STOP_WORDS)):
        found += docs.per_token(number == word) > 0
    return found


def punctuated_lines(docs: Documents) -> Values:
    """Share of lines that end with a sentence end of any script."""
    return _ratio(docs.per_line(docs.line_has(f"[{character_class('sentence_ends')}]$")), docs.line_counts)


def short_lines(docs: Documents) -> Values:
    """Share of lines of at most 30 characters."""
    return _ratio(docs.per_line(docs.line_chars <= SHORT_LINE), docs.line_counts)


def line_ends_per_token(docs: Documents) -> Values:
    """Line ends for each token."""
    return _ratio(docs.line_counts - 1, docs.token_counts)
