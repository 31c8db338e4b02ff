"""How much of a document repeats itself: lines, and runs of 2 to 10 words (Rae et al. 2021, table A1).

Runs of words are compared by 64-bit hashes. Runs that occur twice anywhere are found with a table of counts, so that
only they are sorted; a run of n + 1 words can only repeat where the run of n did, so that each step looks at less.
"""

from __future__ import annotations

import numpy as np

from omni_ray.modalities.documents import Ints
from omni_ray.quality.documents import Documents
from omni_ray.quality.hashing import Hashes, begins, mix, rolling
from omni_ray.quality.rules import Mask, Values


def repeated_lines(docs: Documents) -> Mask:
    """Which lines occur earlier in their own document; bool, (lines,)."""
    codes = docs.lines.dictionary_encode().indices.to_numpy()
    order = np.lexsort((codes, docs.line_document))
    same = (np.diff(codes[order]) == 0) & (np.diff(docs.line_document[order]) == 0)
    again = np.zeros(len(codes), bool)
    again[order[1:][same]] = True
    return again


def repeated_line_share(docs: Documents) -> Values:
    """Share of lines that occur earlier in their own document."""
    return docs.per_line(repeated_lines(docs)) / docs.line_counts


def repeated_line_chars(docs: Documents) -> Values:
    """Characters of repeated lines, for each character of the document with its line ends."""
    return docs.per_line(repeated_lines(docs) * docs.line_chars) / docs.chars


def repeated_visible_chars(docs: Documents) -> Values:
    """Characters of repeated lines, for each character of the document without line ends (FineWeb)."""
    return docs.per_line(repeated_lines(docs) * docs.line_chars) / np.maximum(docs.visible_chars, 1)


class Runs:
    """Runs of ``width`` tokens that do not cross documents and occur at least twice in theirs.

    Attributes:
        place: the token each run begins with, by (document, run, place); int64.
        is_first: whether it is the first of its kind in the document.
        group: a number for each kind of run.
        again: all places at which a run repeats, rising; the next width needs to look only there.
    """

    def __init__(self, docs: Documents, width: int, places: Ints | None) -> None:
        hashes = docs.tokens.hashes
        ends = np.append(docs.token_starts[1:], len(hashes))
        if places is None:
            places = np.arange(max(0, len(hashes) - width + 1))
        document = np.searchsorted(docs.token_starts, places, side="right") - 1
        fits = places + width <= ends[document]
        places, document = places[fits], document[fits]
        key = _hash_at(hashes, places, width) ^ mix(document)
        # A table four times as large as there are runs: about one run in eight is sorted for nothing.
        slot = (key >> np.uint64(62 - max(1, len(key)).bit_length())).astype(np.int64)
        likely = np.bincount(slot)[slot] > 1 if len(slot) else np.zeros(0, bool)
        places, document, key = places[likely], document[likely], key[likely]
        order = np.argsort(key, kind="stable")
        key = key[order]
        fresh = begins(key)
        group = np.cumsum(fresh) - 1
        repeated = np.bincount(group)[group] > 1 if len(key) else np.zeros(0, bool)
        self.place = places[order][repeated]
        self.document = document[order][repeated]
        self.is_first = fresh[repeated]
        self.group = group[repeated]
        self.again = np.sort(self.place)


def _hash_at(hashes: Hashes, places: Ints, width: int) -> Hashes:
    if len(places) == max(0, len(hashes) - width + 1):
        return rolling(hashes, width)
    result = np.zeros(len(places), np.uint64)
    for step in range(width):
        result *= np.uint64(0x9E3779B97F4A7C15)
        result += hashes[places + step]
    return result


def repetition(docs: Documents, top_widths: tuple[int, ...], widths: tuple[int, ...]) -> dict[int, Values]:
    """For each width, repeated characters for each character of the document.

    For ``top_widths``: characters of the commonest run (the earliest of them) times its count, blanks between words
    counted. For ``widths``: characters of runs that occurred before, counted from left to right without overlap, blanks
    not counted.
    """
    measured: dict[int, Values] = {}
    places: Ints | None = None
    for width in sorted({*top_widths, *widths}):
        runs = Runs(docs, width, places)
        places = runs.again
        measured[width] = _top(docs, width, runs) if width in top_widths else _covered(docs, width, runs)
    return measured


def _span(docs: Documents, places: Ints, width: int) -> Ints:
    """Characters of the tokens of the runs at ``places``."""
    return docs.token_ends[places + width] - docs.token_ends[places]


def _top(docs: Documents, width: int, runs: Runs) -> Values:
    best = np.zeros(len(docs))
    long = np.flatnonzero(docs.token_counts >= width)
    # Where nothing repeats, the commonest run is the first one, once.
    best[long] = _span(docs, docs.token_starts[long], width) + width - 1
    if len(runs.place):
        heads = np.flatnonzero(runs.is_first)
        counts = np.diff(np.append(heads, len(runs.place)))
        place, document = runs.place[heads], runs.document[heads]
        order = np.lexsort((place, -counts, document))
        leads = order[begins(document[order])]
        best[document[leads]] = (_span(docs, place[leads], width) + width - 1) * counts[leads]
    return best / np.maximum(docs.chars, 1)


def _covered(docs: Documents, width: int, runs: Runs) -> Values:
    order = np.argsort(runs.place)
    places, groups = runs.place[order], runs.group[order]
    spans = _span(docs, places, width)
    repeated = np.zeros(len(places), np.int64)
    seen: set[int] = set()
    clear = 0
    # Runs that occur once can neither repeat nor be repeated: only the others need a look, from left to right.
    for number, (place, group) in enumerate(zip(places.tolist(), groups.tolist(), strict=True)):
        if place < clear:
            continue
        if group in seen:
            repeated[number] = spans[number]
            clear = place + width
        else:
            seen.add(group)
    shares: Values = np.bincount(runs.document[order], weights=repeated, minlength=len(docs)) / np.maximum(
        docs.chars, 1
    )
    return shares
