"""How the training files are to be written, beyond what the shards say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from omni_ray.errors import OmniError

DEFAULT_SEED = 42


@dataclass(frozen=True)
class Options:
    """What a user may choose.

    Attributes:
        seed: of the shuffle across corpora; None keeps corpus order.
        pack: text: join lines of a document up to what the trainer sees at once.
        holdout: the share of documents, speakers and pictures to hold out, between 0 and 1; None for nothing.
        production: False for each corpus's own files alone.
        replace: look at every byte that is there, and keep what is in the way under another name instead of refusing.
    """

    seed: int | None = DEFAULT_SEED
    pack: bool = False
    holdout: float | None = None
    production: bool = True
    replace: bool = False

    def __post_init__(self) -> None:
        if self.holdout is not None and not 0 < self.holdout < 1:
            raise OmniError(f"--holdout {self.holdout:g}: give a share between 0 and 1, such as 0.01")

    def for_modality(self, modality: str) -> Options:
        """The same without what ``modality`` has no use for."""
        return self if modality == "text" else replace(self, pack=False)


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
