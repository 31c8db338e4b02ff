"""Mixing corpora: which share of each counts, by weights and by budgets of tokens.

The first samples of a corpus in canonical order count, as with ``--max-samples``. No sample counts twice: the corpus that is
scarcest for its weight says how large the mixture is. Text is measured in tokens of the tokenizer that the trainers will
read, everything else in samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from omni_ray.errors import OmniError
from omni_ray.materialize.options import Mixing, Packing
from omni_ray.pipeline.engine import Runner
from omni_ray.pipeline.manifest import Manifest
from omni_ray.pipeline.mixture import Mixture
from omni_ray.pipeline.share import Share, digest
from omni_ray.pipeline.store import CorpusStore, Store
from omni_ray.pipeline.whole import check_whole, opened
from omni_ray.training.tokens import TokenCounter
from omni_ray.training.tokens import digest as digest_of

if TYPE_CHECKING:
    from omni_ray.pipeline.manifest import CommittedFile
    from omni_ray.storage import Storage

_Parts = Mapping[str, Sequence[tuple[Manifest, int]]]


def settle_mixture(
    store: Store,
    modality: str,
    corpora: Sequence[CorpusStore],
    parts: _Parts,
    mixing: Mixing,
    tokens: Packing | None,
    run: Runner,
) -> str:
    """Note how much of each corpus counts: from now on everything that reads what training reads takes that much.

    Args:
        store: the committed shards.
        modality: text, audio, images or ocr.
        corpora, parts: its corpora, whole.
        mixing: what is asked for; if that is nothing, what an earlier run settled is taken back.
        tokens: the tokenizer that text is measured with.
        run: counts tokens.

    Returns:
        A sentence for the user; "" where nothing is or was mixed.

    Raises:
        OmniError: weights that cannot be had.
    """
    mixture = Mixture(store, modality)
    if not mixing:
        return "all of every corpus is in it, which an earlier run mixed" if mixture.remove() else ""
    asked = {**mixing.as_json(), "tokenizer": tokens.tokenizer if tokens else "", "modality": modality}
    of = {name: digest(each) for name, each in parts.items()}
    found = mixture.load()
    if found is not None and found[0].get("mixing") == asked and {n: s.of for n, s in found[1].items()} == of:
        return str(found[0]["said"])
    pieces = {corpus.name: list(_pieces(corpus, modality, parts[corpus.name], tokens)) for corpus in corpora}
    sizes = _measured(pieces, run)
    budgets = budgets_of({name: sum(each) for name, each in sizes.items()}, mixing)
    samples = {name: _reach(pieces[name], sizes[name], budgets[name], run) for name in budgets}
    said = _said(pieces, samples, sizes, budgets, mixing, "tokens" if tokens else "")
    mixture.save({"mixing": asked, "said": said}, {name: Share(samples[name], of[name]) for name in samples})
    return said


def budgets_of(sizes: Mapping[str, int], mixing: Mixing) -> dict[str, int]:
    """How much of each corpus to take, in the measure of ``sizes``. ``mixing`` is about these corpora, and no others.

    Raises:
        OmniError: there is nothing of a corpus that has a weight.
    """
    there = {name: min(size, mixing.tokens.get(name, size)) for name, size in sizes.items()}
    weights, rest = dict(mixing.weights), {name: size for name, size in there.items() if name not in mixing.weights}
    given = sum(weights.values(), Fraction())
    if not rest:
        weights = {name: weight / given for name, weight in weights.items()}
    pools = [(Fraction(there[name]), weight, name) for name, weight in weights.items() if weight]
    if rest:
        pools.append((Fraction(sum(rest.values())), 1 - given, ", ".join(sorted(rest))))
    if weights and (empty := [name for size, _, name in pools if not size]):
        raise OmniError(f"--weight: there is nothing of {empty[0]} to mix")
    most = min(size / weight for size, weight, _ in pools)
    if mixing.total is not None:
        most = min(most, Fraction(mixing.total))
    found = {name: int(weight * most) for name, weight in weights.items()}
    left = sum(rest.values())
    return found | {name: int(size * (1 - given) * most / left) if left else 0 for name, size in rest.items()}


@dataclass(frozen=True)
class _MeasuredShard:
    """One shard to be measured.

    Attributes:
        storage, unit, shard, corpus, modality: which.
        take: its samples that count, from the first.
        model, tokenizer: path and digest of the tokenizer; "" to count samples.
    """

    storage: Storage
    unit: int
    shard: CommittedFile
    corpus: str
    modality: str
    take: int
    model: str
    tokenizer: str

    def tokens(self) -> Iterator[npt.NDArray[np.int64]]:
        """Tokens of its samples, some at a time."""
        check_whole(self.storage, self.unit, self.shard, self.corpus, self.modality)
        counter, left = _counter(self.model, self.tokenizer), self.take
        with opened(self.storage, self.unit, self.shard, self.corpus, self.modality) as file:
            shard = pq.ParquetFile(file)
            for group in range(shard.num_row_groups):
                lines = shard.read_row_group(group, columns=["text"])["text"].slice(0, left).to_pylist()
                left -= len(lines)
                yield counter.count(lines)


@lru_cache(maxsize=1)
def _counter(model: str, tokenizer: str) -> TokenCounter:
    """A worker's counter: what it has learnt about words serves every shard that the worker gets."""
    data = Path(model).read_bytes()
    if digest_of(data) != tokenizer:
        raise OmniError(f"{model} was changed while it was used; run this again")
    return TokenCounter(data)


def _pieces(
    corpus: CorpusStore, modality: str, parts: Sequence[tuple[Manifest, int]], tokens: Packing | None
) -> Iterator[_MeasuredShard]:
    """What is to be trained on; splits to measure on are not mixed."""
    state = corpus.state()
    how = (tokens.model, tokens.tokenizer) if tokens else ("", "")
    for manifest, take in parts:
        if state is None or not state.is_held(manifest.unit):
            yield _MeasuredShard(corpus.storage, manifest.unit, manifest.shard, corpus.name, modality, take, *how)


def _size(piece: _MeasuredShard) -> int:
    """Its tokens, or its samples."""
    if not piece.model:
        return piece.take
    size: int = sum(counts.sum().item() for counts in piece.tokens())
    return size


def _measured(pieces: Mapping[str, Sequence[_MeasuredShard]], run: Runner) -> dict[str, list[int]]:
    """The size of each shard."""
    everything = [piece for each in pieces.values() for piece in each]
    sizes = iter(list(run(_size, everything) if any(p.model for p in everything) else map(_size, everything)))
    return {name: [next(sizes) for _ in each] for name, each in pieces.items()}


def _reach(pieces: Sequence[_MeasuredShard], sizes: Sequence[int], budget: int, run: Runner) -> int:
    """How many samples of a corpus, from the first, fit into the budget."""
    samples = 0
    for piece, size in zip(pieces, sizes, strict=True):
        if size > budget:
            fits: int = next(iter(run(_within, [(piece, budget)])))
            return samples + fits
        samples, budget = samples + piece.take, budget - size
    return samples


def _within(item: tuple[_MeasuredShard, int]) -> int:
    """How many samples of a shard, from the first, fit into the budget."""
    piece, budget = item
    if not piece.model:
        return budget
    counts = np.concatenate([np.zeros(0, np.int64), *piece.tokens()])
    fits: int = np.searchsorted(np.cumsum(counts), budget, side="right").item()
    return fits


def _said(
    pieces: Mapping[str, Sequence[_MeasuredShard]],
    samples: Mapping[str, int],
    sizes: Mapping[str, Sequence[int]],
    budgets: Mapping[str, int],
    mixing: Mixing,
    unit: str,
) -> str:
    """What the mixture is, for people."""
    lines = []
    for name, taken in sorted(samples.items()):
        there = sum(piece.take for piece in pieces[name])
        size = f" ({budgets[name]:,} of {sum(sizes[name]):,} {unit})" if unit else ""
        lines.append(f"{name} {taken:,} of {there:,} samples{size}")
    short = [name for name, wanted in mixing.tokens.items() if sum(sizes[name]) < wanted]
    if mixing.total is not None and sum(map(sum, sizes.values())) < mixing.total:
        short.append("all text together")
    more = [f"{name} has fewer tokens than were asked for" for name in short]
    return "; ".join(["mixed: " + ", ".join(lines), *more])
