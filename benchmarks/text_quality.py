"""Text heuristics and MinHash beside datatrove's: documents per CPU second, and whether the verdicts agree.

    python -m benchmarks.text_quality --source ../shared/data/books --count 1500

Both sides get the same documents of about 188 words in lines of 14. Ours runs on whole Arrow columns, datatrove's document
by document, as each is made to be run. Ours is measured twice: cold (no chunk of text seen before) and warm (as in the
later shards of a job). Each filter is timed by itself, with its own split into words, as datatrove's is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.rounds import Row, compare, run
from omni_ray.modalities.lines import one_line
from omni_ray.quality.documents import Documents
from omni_ray.quality.minhash import MinHash, band_keys, signatures
from omni_ray.quality.rules import Rule
from omni_ray.quality.text_rules import TEXT_RULES
from omni_ray.quality.words import _cut

WORDS, PER_LINE = 188, 14
FILTERS = {
    "gopher_quality": ("GopherQualityFilter", ("gopher_m", "gopher_w", "gopher_h", "gopher_e", "gopher_b", "gopher_l", "gopher_s")),
    "gopher_repetition": ("GopherRepetitionFilter", ("gopher_r", "gopher_t")),
    "fineweb": ("FineWebQualityFilter", ("fineweb_",)),
}  # fmt: skip


def read(source: Path, count: int) -> list[list[str]]:
    """``count`` documents of the files' words, or as many as there are; every fifth repeats a line, every seventh is cut short."""
    words: list[str] = []
    for path in sorted(source.rglob("*.txt")):
        words += one_line(path.read_text("utf-8", "replace")).split(" ")
    made = []
    for number in range(min(count, len(words) // WORDS)):
        mine = words[number * WORDS : (number + 1) * WORDS]
        lines = [" ".join(mine[n : n + PER_LINE]) for n in range(0, WORDS, PER_LINE)]
        if number % 5 == 0:
            lines += [lines[3]] * (number % 7)
        made.append(lines[:3] if number % 7 == 0 else lines)
    return made


def columns(documents: list[list[str]]) -> Documents:
    starts = np.cumsum([0, *(len(d) for d in documents)])[:-1]
    return Documents(pa.array([line for d in documents for line in d], pa.large_string()), starts)


def judge(documents: list[list[str]], prefixes: tuple[str, ...]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    docs = columns(documents)
    rules = [r for r in TEXT_RULES if isinstance(r, Rule) and r.unit == "document" and r.name.startswith(prefixes)]
    removed: np.ndarray[Any, np.dtype[np.bool_]] = np.any([rule.removes(rule.measure(docs)) for rule in rules], axis=0)
    return ~removed


def all_heuristics(documents: list[list[str]]) -> None:
    docs = columns(documents)
    for rule in TEXT_RULES:
        if isinstance(rule, Rule):
            rule.removes(rule.measure(docs))


def sign(documents: list[list[str]]) -> None:
    found, _ = signatures(columns(documents), MinHash())
    band_keys(found, MinHash())


def rows(source: Path, count: int = 4000, datatrove_count: int = 600, rounds: int = 3) -> list[Row]:
    """Every filter by itself, all at once, and signatures. datatrove gets the first ``datatrove_count`` documents."""
    documents = read(source, count)
    theirs = min(datatrove_count, len(documents))
    texts = ["\n".join(lines) for lines in documents[:theirs]]
    columns(documents[:5])

    def cold(work: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            _cut.cache_clear()
            return work()

        return run

    try:
        from datatrove.data import Document
        from datatrove.pipeline import filters
        from datatrove.pipeline.dedup.minhash import MinhashDedupSignature
    except ImportError:
        print("datatrove is not installed (pip install 'omni-ray[bench]'): left out")
        filters = None
    found: list[Row] = []
    for name, (kind, prefixes) in FILTERS.items():
        ours = partial(judge, documents, prefixes)
        found += _ours(name, len(documents), ours, cold(ours), rounds)
        if filters is not None:
            peer = getattr(filters, kind)()

            def judge_theirs(peer: Any = peer) -> list[bool]:
                return [peer.filter(Document(text=text, id="")) is True for text in texts]

            if judge_theirs() != judge(documents, prefixes)[:theirs].tolist():
                raise SystemExit(f"{name}: the verdicts disagree")
            found += compare(
                name, theirs, "documents", {"datatrove": judge_theirs}, rounds=1, clock="cpu", warm_up=False
            )
    everything = partial(all_heuristics, documents)
    found += _ours("all heuristics", len(documents), everything, cold(everything), rounds)
    found += _ours("MinHash, 14 x 8", len(documents), partial(sign, documents), cold(partial(sign, documents)), rounds)
    if filters is not None:
        signer = MinhashDedupSignature("unused")
        peers = {"datatrove": lambda: [signer.get_signature(signer.get_shingles(text)) for text in texts]}
        found += compare("MinHash, 14 x 8", theirs, "documents", peers, rounds=1, clock="cpu", warm_up=False)
    return found


def _ours(task: str, count: int, warm: Callable[[], Any], cold: Callable[[], Any], rounds: int) -> list[Row]:
    """A first shard, with no chunk of text seen before, and "ours": a later one."""
    sides = {"ours, first shard": cold, "ours": warm}
    return compare(task, count, "documents", sides, rounds=rounds, clock="cpu", warm_up=False)


if __name__ == "__main__":
    run(rows, __doc__)
