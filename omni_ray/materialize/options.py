"""How the training files are to be written, beyond what the shards say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from omni_ray.errors import OmniError
from omni_ray.modalities.registry import modality as modality_of

DEFAULT_SEED = 42
_COUNT = re.compile(r"(\d+(?:\.\d+)?)([KMBT]?)", re.IGNORECASE)


@dataclass(frozen=True)
class Mixing:
    """How corpora are to be mixed.

    Attributes:
        weights: by corpus, its share of the mixture; corpora without one share what is left to 1 by their sizes.
        tokens: for each text corpus, how many tokens to take at most.
        total: tokens of all text at most; None for no limit.
    """

    weights: Mapping[str, Fraction] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    total: int | None = None

    def __bool__(self) -> bool:
        return bool(self.weights or self.tokens or self.total is not None)

    def of(self, names: Iterable[str], *, has_tokens: bool) -> Mixing:
        """The part of it that concerns these corpora, all of one modality. Raises OmniError for weights that cannot be had."""
        names = sorted(names)
        weights = {name: self.weights[name] for name in names if name in self.weights}
        tokens = {name: self.tokens[name] for name in names if name in self.tokens}
        rest = [name for name in names if name not in weights]
        if weights and rest and sum(weights.values()) >= 1:
            raise OmniError(
                f"--weight: {', '.join(weights)} get all of the mixture, and nothing is left for {', '.join(rest)}; "
                f"give {'it' if len(rest) == 1 else 'them'} a weight, if only 0"
            )
        if weights and not rest and not any(weights.values()):
            raise OmniError("--weight: at least one corpus needs a weight above 0")
        return Mixing(weights, tokens, self.total) if has_tokens else Mixing(weights)

    def as_json(self) -> dict[str, Any]:
        """What the result depends on."""
        weights = {name: str(weight) for name, weight in self.weights.items()}
        return {"weights": weights, "tokens": dict(self.tokens), "total": self.total}

    @classmethod
    def parse(cls, weights: Sequence[str], tokens: Sequence[str]) -> Mixing:
        """``NAME=0.3`` and ``NAME=2B``, or ``2B`` for all text, as users write them. Raises OmniError for anything else."""
        shares: dict[str, Fraction] = {}
        for text in weights:
            name, _, value = text.rpartition("=")
            if not name or name in shares or not re.fullmatch(r"\d+(\.\d+)?|\.\d+", value):
                raise OmniError(f"--weight {text}: write NAME=0.3, each corpus once")
            shares[name] = Fraction(value)
        most: dict[str, int] = {}
        for text in tokens:
            name, _, value = text.rpartition("=")
            number = _COUNT.fullmatch(value)
            if name in most or number is None:
                raise OmniError(f"--target-tokens {text}: write NAME=2B, or 2B for all text; K, M, B and T are units")
            most[name] = int(Fraction(number[1]) * 1000 ** (" KMBT".index((number[2] or " ").upper())))
        return cls(shares, {name: number for name, number in most.items() if name}, most.get(""))


@dataclass(frozen=True)
class TrainingFileOptions:
    """What a user may choose.

    Attributes:
        seed: of the shuffle across corpora; None keeps corpus order.
        pack: text: join lines of a document up to what the trainer sees at once.
        holdout: the share of documents, speakers and pictures to hold out, between 0 and 1; None for nothing.
        production: False for each corpus's own files alone.
        replace: look at every byte that is there, and keep what is in the way under another name instead of refusing.
        mixing: how much of each corpus counts; by default all of it.
    """

    seed: int | None = DEFAULT_SEED
    pack: bool = False
    holdout: float | None = None
    production: bool = True
    replace: bool = False
    mixing: Mixing = Mixing()

    def __post_init__(self) -> None:
        if self.holdout is not None and not 0 < self.holdout < 1:
            raise OmniError(f"--holdout {self.holdout:g}: give a share between 0 and 1, such as 0.01")

    def for_modality(self, modality: str) -> TrainingFileOptions:
        """The same without what ``modality`` has no use for."""
        return self if modality_of(modality).of_documents else replace(self, pack=False)


@dataclass(frozen=True)
class Packing:
    """How lines are packed: with which tokenizer, and for how many tokens.

    Attributes:
        tokenizer: SHA-256 of the SentencePiece model.
        ctx_len: tokens that the trainer sees at once, the start mark included.
        model: the file of the model; not part of what the result depends on.
    """

    tokenizer: str
    ctx_len: int
    model: str = ""

    def as_json(self) -> dict[str, Any]:
        """What the result depends on."""
        return {"tokenizer": self.tokenizer, "ctx_len": self.ctx_len}
