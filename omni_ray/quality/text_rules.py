"""The rules for text, in the order they are applied.

Sources: Gopher: Rae et al. 2021, "Scaling Language Models", section A.1. C4: Raffel et al. 2020, "Exploring the Limits of
Transfer Learning", section 2.2. FineWeb: Penedo et al. 2024, "The FineWeb Datasets", section 3.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow.compute as pc

from omni_ray.quality import heuristics, repetition
from omni_ray.quality.characters import character_class
from omni_ray.quality.documents import Documents
from omni_ray.quality.rules import BOTH, OURS, Change, Rule, Values

GOPHER = "Gopher (Rae et al. 2021)"
C4 = "C4 (Raffel et al. 2020)"
FINEWEB = "FineWeb (Penedo et al. 2024)"

_TOP = {2: 0.20, 3: 0.18, 4: 0.16}
_AGAIN = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
_POLICY = "terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies"
CITATION = r"\[\d*\]|\[edit\]|\[citation needed\]"
"""What C4 takes out of lines: the marks of encyclopaedia pages."""


def _run_share(docs: Documents, width: int) -> Values:
    """One width of :func:`~omni_ray.quality.repetition.repetition`, all widths measured at the first call."""
    found = getattr(docs, "_runs", None)
    if found is None:
        found = repetition.repetition(docs, tuple(_TOP), tuple(_AGAIN))
        docs._runs = found  # type: ignore[attr-defined]
    return found[width]


def _longest_word(docs: Documents) -> Values:
    """Characters of the longest word of each line; words end at blanks, and at characters of scripts that write none."""
    lines = docs.lines
    unspaced = f"[{character_class('unspaced')}]"
    suspect = pc.greater(pc.utf8_length(lines), 1000)
    if pc.any(suspect).as_py():
        spaced = pc.replace_substring_regex(lines.filter(suspect), unspaced, " ")
        lines = pc.replace_with_mask(lines, suspect, spaced)
    chunks = pc.split_pattern(lines, " ")
    lengths = pc.utf8_length(chunks.flatten()).to_numpy()
    return np.maximum.reduceat(lengths, _offsets(chunks)).astype(np.float64)


def _offsets(chunks: object) -> np.ndarray:
    counts = pc.list_value_length(chunks).to_numpy().astype(np.int64)
    return np.concatenate([[0], np.cumsum(counts)[:-1]])


def _line_words(docs: Documents) -> Values:
    return (pc.count_substring(docs.lines, " ").to_numpy() + 1).astype(np.float64)  # type: ignore[no-any-return]


def _full_stop(docs: Documents) -> Values:
    ends = docs.line_has(r"[.?!\"']$") & ~docs.line_has(r"\.\.\.$")
    return ends.astype(np.float64)


def _holding(docs: Documents, pattern: str) -> Values:
    return docs.line_has(pattern, ignore_case=True).astype(np.float64)


def _lines_holding(docs: Documents, pattern: str) -> Values:
    return docs.per_line(docs.line_has(pattern, ignore_case=True)).astype(np.float64)


def sentences(docs: Documents) -> Values:
    """Sentences of each document: a sentence ends at a mark of its own, at the next token that is no punctuation.

    Lines end sentences too. What is counted are stretches of punctuation in a line that hold a mark and are followed by a word.
    """
    tokens = docs.tokens
    kind = tokens.kind
    mark = tokens.ends_sentence[kind]
    ordinary = ~(mark | tokens.is_punctuation[kind])
    line = np.searchsorted(tokens.line_ends, np.arange(len(kind)), side="right")
    marks = np.concatenate([[0], np.cumsum(mark)])
    words = np.flatnonzero(ordinary)
    if not len(words):
        return docs.line_counts.astype(np.float64)
    begin = np.concatenate([[0], tokens.line_ends[:-1]])[line[words]]
    previous = np.maximum(np.concatenate([[-1], words[:-1]]) + 1, begin)
    breaks = marks[words] > marks[previous]
    per_line = np.bincount(line[words[breaks]], minlength=len(docs.lines))
    return (docs.per_line(per_line) + docs.line_counts).astype(np.float64)


def _prose(source: str, name: str, reason: str, says: str, measure: Callable[[Documents], Values], **more: Any) -> Rule:
    """A rule of a paper about documents of prose."""
    return Rule(name, "document", reason, says, source, measure, prose=True, **more)


_gopher, _fineweb = partial(_prose, GOPHER, presets=BOTH), partial(_prose, FINEWEB)

TEXT_RULES: tuple[Rule | Change, ...] = (
    Change("repair", "repairs mojibake, HTML entities and broken surrogates, then normalizes to NFC", "ftfy (Speer 2019)", BOTH),
    Change("mask_personal", "replaces e-mail addresses, telephone numbers and public IP addresses", OURS),
    _gopher(
        "gopher_repeated_lines", "repeated_lines", "share of lines that occurred before", repetition.repeated_line_share,
        high=0.30, presets=("strict",),
    ),
    _gopher(
        "gopher_repeated_line_chars", "repeated_lines", "share of characters in lines that occurred before",
        repetition.repeated_line_chars, high=0.20,
    ),
    *(
        _gopher(
            f"gopher_{name}_{width}_words", "repeated_phrases", f"share of characters in {says.format(width)}",
            partial(_run_share, width=width), high=limit,
        )
        for name, says, limits in (
            ("top", "the commonest run of {} words", _TOP),
            ("repeated", "runs of {} words that occurred before", _AGAIN),
        )
        for width, limit in limits.items()
    ),
    Rule("gopher_min_words", "document", "too_few_words", "words", GOPHER, heuristics.words, low=50),
    Rule("gopher_max_words", "document", "too_many_words", "words", GOPHER, heuristics.words, high=100_000),
    _gopher("gopher_word_length", "word_length", "mean characters of a word", heuristics.mean_word_length, low=3, high=10, english=True),
    _gopher("gopher_hashes", "symbols", "hash signs for each token", heuristics.hashes_per_token, high=0.1),
    _gopher("gopher_ellipses", "symbols", "ellipses for each token", heuristics.ellipses_per_token, high=0.1),
    _gopher("gopher_bullets", "bullets", "share of lines that begin with a bullet", heuristics.bullet_lines, high=0.9),
    _gopher("gopher_ellipsis_lines", "cut_off", "share of lines that end in an ellipsis", heuristics.ellipsis_lines, high=0.3),
    _gopher(
        "gopher_letters", "not_letters", "share of tokens that hold a letter", heuristics.tokens_with_letters,
        low=0.8, presets=("strict",),
    ),
    _gopher(
        "gopher_stop_words", "no_stop_words", "different ones of eight stop words", heuristics.stop_words,
        low=2, presets=("strict",), english=True,
    ),
    Rule("c4_long_word", "line", "long_word", "characters of the longest word", C4, _longest_word, high=1000, presets=BOTH),
    # Counted before citations go, as C4 does.
    Rule("c4_line_words", "line", "short_line", "words of the line", C4, _line_words, low=3),
    Change("c4_citations", "takes [1], [edit] and [citation needed] out of lines", C4, ("strict",)),
    Rule("c4_full_stop", "line", "no_full_stop", "ends like a sentence", C4, _full_stop, low=1, presets=()),
    Rule(
        "c4_lorem_ipsum", "document", "placeholder", "lines with lorem ipsum", C4,
        partial(_lines_holding, pattern="lorem ipsum"), high=0, presets=BOTH,
    ),
    Rule(
        "c4_javascript", "line", "boilerplate", "mentions javascript", C4,
        partial(_holding, pattern="javascript"), high=0,
    ),
    Rule("c4_curly_brackets", "document", "code", "lines with {", C4, partial(_lines_holding, pattern=r"\{"), high=0),
    Rule(
        "c4_policy", "line", "boilerplate", "mentions terms of use, cookies or privacy policies", C4,
        partial(_holding, pattern=_POLICY), high=0,
    ),
    Rule("c4_sentences", "document", "too_few_sentences", "sentences", C4, sentences, low=5, english=True),
    _fineweb("fineweb_full_stops", "few_full_stops", "share of lines that end as sentences do", heuristics.punctuated_lines, low=0.12),
    _fineweb("fineweb_short_lines", "short_lines", "share of lines of at most 30 characters", heuristics.short_lines, high=0.67),
    _fineweb(
        "fineweb_repeated_chars", "repeated_lines", "share of characters in lines that occurred before",
        repetition.repeated_visible_chars, high=0.01,
    ),
    _fineweb("fineweb_line_ends", "list", "line ends for each token", heuristics.line_ends_per_token, high=0.3),
)  # fmt: skip
