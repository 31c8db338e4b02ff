"""The mixture of a modality's corpora, as the last ``combine`` settled it: kept beside the shards, in ``mixture/``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict
from typing import Any

from omni_ray.pipeline.share import Share
from omni_ray.pipeline.store import CorpusStore, Store


class Mixture:
    """How much of each corpus counts. Without one, all of each does.

    Args:
        store: the committed shards.
        modality: text, audio, images or ocr.
    """

    def __init__(self, store: Store, modality: str) -> None:
        self._storage = store.storage.child("mixture")
        self._file = f"{modality}.json"

    def load(self) -> tuple[dict[str, Any], dict[str, Share]] | None:
        """What was asked for, and the share of each corpus: none of any where the file is damaged. None where nothing is mixed."""
        try:
            value = json.loads(self._storage.read(self._file))
            return value["asked"], {name: Share(**share) for name, share in value["shares"].items()}
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError):
            return {}, {}

    def save(self, asked: Mapping[str, Any], shares: Mapping[str, Share]) -> None:
        """Settle a mixture, unless it is settled so."""
        if self.load() != (asked, shares):
            value = {"asked": asked, "shares": {name: asdict(share) for name, share in shares.items()}}
            self._storage.write(self._file, json.dumps(value, sort_keys=True, indent=1).encode() + b"\n")

    def remove(self) -> bool:
        """Count all of every corpus again. Returns whether that is anything new."""
        was_mixed = self._file in self._storage.files()
        if was_mixed:
            self._storage.delete(self._file)
            self._storage.remove_if_empty()
        return was_mixed

    def applied(self, corpora: Sequence[CorpusStore]) -> list[CorpusStore]:
        """The same corpora, each with its share; where corpora came or went since, none of the shares holds."""
        found = self.load()
        if found is None:
            return list(corpora)
        shares = found[1] if found[1].keys() == {corpus.name for corpus in corpora} else {}
        mixed = []
        for corpus in corpora:
            mixed.append(copy(corpus))
            mixed[-1].share = shares.get(corpus.name, Share(0, ""))
        return mixed
