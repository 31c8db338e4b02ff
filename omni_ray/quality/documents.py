"""Documents of a shard: the unit that text heuristics judge, while a shard's rows are lines."""

from __future__ import annotations

from copy import copy
from functools import cache, cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.modalities.documents import Ints, document_starts
from omni_ray.quality.characters import character_class
from omni_ray.quality.hashing import Hashes, mix
from omni_ray.quality.rules import Mask
from omni_ray.quality.words import PLAIN, SPLIT_PLAIN, cut_chunk


@cache
def _split() -> pa.LargeStringArray:
    """Contractions that are cut. Made when they are first asked for: the first array of a process imports pandas."""
    return pa.array(sorted(SPLIT_PLAIN), pa.large_string())


class Tokens:
    """Word tokens of a run of lines, as numbers.

    Attributes:
        line_ends: how many tokens there are up to the end of each line; int64, (lines,).
        kind: which of the distinct tokens is at each place; int32, (tokens,).
        length: characters of each distinct token; int64, (kinds,).
        is_word, has_letter, is_punctuation, ends_sentence: of each distinct token; bool, (kinds,).
    """

    def __init__(self, lines: pa.LargeStringArray) -> None:
        split = pc.split_pattern(lines, " ")
        chunks = split.flatten().dictionary_encode()
        chunk, distinct = chunks.indices.to_numpy(), chunks.dictionary
        counts, self.strings, pieces = _cut(distinct)
        starts = np.concatenate([[0], np.cumsum(counts)])
        per_chunk = counts[chunk]
        ends = np.cumsum(per_chunk)
        places = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - per_chunk, per_chunk)
        self.kind = pieces[np.repeat(starts[:-1][chunk], per_chunk) + places]
        chunk_ends = np.cumsum(pc.list_value_length(split).to_numpy())
        self.line_ends = np.concatenate([[0], ends])[chunk_ends].astype(np.int64)
        symbols, letters = character_class("symbols"), character_class("letters")
        self.length = pc.utf8_length(self.strings).to_numpy().astype(np.int64)
        self.is_word = _matches(self.strings, f"[^{symbols}]")
        self.has_letter = _matches(self.strings, f"[{letters}]")
        self.is_punctuation = _matches(self.strings, f"^[{character_class('punctuation')}]+$")
        self.ends_sentence = _matches(self.strings, f"^[{character_class('sentence_ends')}]$")

    def select(self, lines: Mask) -> Tokens:
        """The tokens of some of the lines."""
        chosen = copy(self)
        chosen.__dict__.pop("hashes", None)
        counts = np.diff(np.concatenate([[0], self.line_ends]))
        chosen.kind = self.kind[np.repeat(lines, counts)]
        chosen.line_ends = np.cumsum(counts[lines])
        return chosen

    @cached_property
    def hashes(self) -> Hashes:
        """A 64-bit hash of every token in place: of its number, so for comparing within these lines only."""
        return mix(np.arange(len(self.strings), dtype=np.uint64))[self.kind]  # type: ignore[no-any-return]


def _cut(chunks: pa.LargeStringArray) -> tuple[Ints, pa.LargeStringArray, npt.NDArray[np.int32]]:
    """Tokens per chunk, the distinct tokens, and the chunks' tokens one after the other as numbers of these."""
    contracted = pc.is_in(pc.utf8_lower(chunks), _split())
    simple = pc.and_(pc.match_substring_regex(chunks, PLAIN), pc.invert(contracted)).to_numpy(zero_copy_only=False)
    counts = np.ones(len(chunks), np.int64)
    other = np.flatnonzero(~simple)
    cut = [cut_chunk(chunk) if chunk else () for chunk in chunks.take(pa.array(other)).to_pylist()]
    counts[other] = [len(pieces) for pieces in cut]
    flat = pa.array([piece for pieces in cut for piece in pieces], pa.large_string())
    everything = pa.concat_arrays([chunks.filter(pa.array(simple)), flat]).dictionary_encode()
    numbers = everything.indices.to_numpy()
    ordered = np.empty(int(counts.sum()), np.int32)
    from_simple = np.repeat(simple, counts)
    whole = int(simple.sum())
    ordered[from_simple] = numbers[:whole]
    ordered[~from_simple] = numbers[whole:]
    return counts, everything.dictionary, ordered


def _matches(strings: pa.Array, pattern: str) -> Mask:
    return pc.match_substring_regex(strings, pattern).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


class Documents:
    """Documents as lines, one after the other.

    Args:
        lines: clean lines (one space between words, none at the ends, nothing blank); large_string, (lines,).
        starts: the line each document begins with; int64, (documents,), strictly rising from 0.
        languages: each document's language where the corpus says it, else null; string, (documents,).
    """

    def __init__(self, lines: pa.LargeStringArray, starts: Ints, languages: pa.Array | None = None) -> None:
        self.lines = lines
        self.starts = starts
        self.languages = pa.nulls(len(starts), pa.string()) if languages is None else languages

    @classmethod
    def of_table(cls, rows: pa.Table) -> Documents:
        """The documents of text shard rows (``id``, ``text``, ``lang`` where there is one)."""
        starts = document_starts(rows["id"])
        lines = rows["text"].combine_chunks().cast(pa.large_string())
        languages = rows["lang"].combine_chunks().take(pa.array(starts)) if "lang" in rows.column_names else None
        return cls(lines, starts, languages)

    def __len__(self) -> int:
        return len(self.starts)

    def select(self, lines: Mask) -> Documents:
        """The documents with only some of their lines; documents left without any are gone."""
        document = self.line_document[lines]
        starts = np.flatnonzero(np.diff(document, prepend=-1))
        chosen = Documents(self.lines.filter(pa.array(lines)), starts, self.languages.take(pa.array(document[starts])))
        if "tokens" in self.__dict__:
            chosen.__dict__["tokens"] = self.tokens.select(lines)
        return chosen

    @cached_property
    def line_document(self) -> Ints:
        """The document each line belongs to; int64, (lines,)."""
        return np.repeat(np.arange(len(self)), np.diff(np.append(self.starts, len(self.lines))))

    @cached_property
    def line_counts(self) -> Ints:
        """Lines of each document."""
        return np.diff(np.append(self.starts, len(self.lines)))

    @cached_property
    def line_chars(self) -> Ints:
        """Characters of each line."""
        return pc.utf8_length(self.lines).to_numpy().astype(np.int64)  # type: ignore[no-any-return]

    @cached_property
    def visible_chars(self) -> Ints:
        """Characters of each document without line ends."""
        return self.per_line(self.line_chars)

    @cached_property
    def chars(self) -> Ints:
        """Characters of each document, its lines joined with a line feed."""
        return self.visible_chars + self.line_counts - 1

    @cached_property
    def tokens(self) -> Tokens:
        """The word tokens of all lines."""
        return Tokens(self.lines)

    @cached_property
    def token_starts(self) -> Ints:
        """The token each document begins with."""
        return np.concatenate([[0], self.tokens.line_ends])[self.starts]

    @cached_property
    def token_counts(self) -> Ints:
        """Tokens of each document, punctuation too."""
        return np.diff(np.append(self.token_starts, len(self.tokens.kind)))

    @cached_property
    def word_counts(self) -> Ints:
        """Tokens of each document that are not all punctuation."""
        return self.per_token(self.tokens.is_word)

    @cached_property
    def token_ends(self) -> Ints:
        """Characters of all tokens before each, blanks not counted; (tokens + 1,)."""
        return np.concatenate([[0], np.cumsum(self.tokens.length[self.tokens.kind])])

    def latin_share(self, number: int) -> float:
        """Share of a document's letters that are Latin; 0 where it has none."""
        lines = self.lines.slice(int(self.starts[number]), int(self.line_counts[number]))
        latin, letters = (pc.sum(pc.count_substring_regex(lines, kind)).as_py() for kind in (r"\p{Latin}", r"\p{L}"))
        return latin / letters if letters else 0.0

    def per_line(self, values: npt.NDArray[np.generic]) -> Ints:
        """Sums of a number (or mask) for each line, by document."""
        return _sums(values, self.starts)

    def per_token(self, values: npt.NDArray[np.generic]) -> Ints:
        """Sums of a number (or mask) for each distinct token, over all tokens, by document."""
        return _sums(values.astype(np.int64)[self.tokens.kind], self.token_starts)

    def line_has(self, pattern: str, ignore_case: bool = False) -> Mask:
        """Which lines hold a match of the RE2 ``pattern``."""
        return pc.match_substring_regex(self.lines, pattern, ignore_case=ignore_case).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _sums(values: npt.NDArray[np.generic], starts: Ints) -> Ints:
    # Differences of a running sum, because reduceat gives an empty run its next value.
    running = np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
    return np.diff(running[np.append(starts, len(values))])  # type: ignore[no-any-return]
