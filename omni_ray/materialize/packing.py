"""The tokenizer that lines are packed with: the one that the trainers will read, trained first where there is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from omni_ray.digests import digest_of_json
from omni_ray.errors import OmniError
from omni_ray.materialize.options import Packing
from omni_ray.modalities.hold_out import HOLD_VERSION
from omni_ray.pipeline.engine import Runner
from omni_ray.pipeline.manifest import Manifest
from omni_ray.pipeline.parts import part_of
from omni_ray.pipeline.share import as_json
from omni_ray.pipeline.store import CorpusStore, Store
from omni_ray.storage import write_atomic
from omni_ray.training import configs
from omni_ray.training import vocabulary as tokenizers
from omni_ray.training.counts import CountedSource
from omni_ray.training.schema import problems
from omni_ray.training.tokenizer import MODEL, find
from omni_ray.training.tokens import digest

_NOTE = "combine/tokenizer.json"


def settle_packing(
    store: Store,
    corpora: Sequence[CorpusStore],
    parts: Mapping[str, Sequence[tuple[Manifest, int]]],
    holdout: float,
    run: Runner,
    say: Callable[[str], None],
) -> Packing:
    """Find the tokenizer, or train it and put it where the trainers look.

    One that a user put there stays, and so does one whose weights have been trained. Any other is trained again when the
    shards have changed since it was used here; what is held out takes no part in that.

    Args:
        store: the committed shards.
        corpora, parts: those of the text that count.
        holdout: the share that is held out; 0 for nothing.
        run: trains it, as a task.
        say: told where it came from, where one had to be trained or was kept for its weights.

    Raises:
        OmniError: there is too little text to train one on, or what is there is no tokenizer.
    """
    config = configs.read(store.root, "thinker")
    if wrong := problems("thinker", config.values):
        raise OmniError(wrong[0])
    home = tokenizers.folders({"thinker": config})["thinker"]
    text = _digest(parts, holdout)
    note = _load(store.state_folder / _NOTE)
    found = find(store.root / home)
    model = found.model if found is not None else None
    if model is None or (note.get("tokenizer") == digest(model) and note.get("text") != text):
        shards = tuple(part_of(corpus, manifest, take) for corpus in corpora for manifest, take in parts[corpus.name])
        place = store.storage.child("text")
        source = CountedSource("shards", str(place.local_root or place.shown), shards=shards, holdout=holdout)
        vocabulary = tokenizers.settle(store.root, {"thinker": config}, source, run)
        vocabulary.save(store.root)
        say(f"tokenizer of {vocabulary.trained.pieces:,} pieces: {vocabulary.how}")
        for warning in vocabulary.warnings:
            say(f"note: {warning}")
        model = vocabulary.trained.model
    note = {"tokenizer": digest(model), "text": text}
    write_atomic(store.state_folder / _NOTE, json.dumps(note).encode())
    return Packing(digest(model), int(config.get("ctx_len", 512)), str(store.root / home / MODEL))


def keep_a_copy(packing: Packing, folder: Path) -> Packing:
    """The same with a copy of the model in ``folder``, which nobody else changes while workers read it.

    Raises:
        OmniError: the model is another one by now.
    """
    model = Path(packing.model).read_bytes()
    if digest(model) != packing.tokenizer:
        raise OmniError(f"{packing.model} was changed while it was used; run this again")
    write_atomic(folder / MODEL, model, sync=False)
    return Packing(packing.tokenizer, packing.ctx_len, str(folder / MODEL))


def _digest(parts: Mapping[str, Sequence[tuple[Manifest, int]]], holdout: float) -> str:
    shards = {name: as_json(each) for name, each in parts.items()}
    return digest_of_json([holdout and [HOLD_VERSION, holdout], shards])


def _load(path: Path) -> dict[str, str]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
