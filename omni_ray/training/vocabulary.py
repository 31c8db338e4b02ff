"""One tokenizer for every stage that needs one: found, kept or trained, and put where each trainer looks.

Stage A looks in its own ``save_dir``; the image and the multimodal stage look in their ``thinker_ckpt``. The latter
must not be the former: stage A saves a ``thinker.pt`` there that the multimodal stage cannot load.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from omni_ray.errors import OmniError
from omni_ray.pipeline.engine import Runner, inline
from omni_ray.pipeline.lease import lease
from omni_ray.pipeline.store import Store
from omni_ray.results import Report
from omni_ray.storage import remove_temporaries
from omni_ray.training.configs import Config, file_name, read
from omni_ray.training.counts import CountedSource
from omni_ray.training.data import Choice, committed_shards, text_to_train_on
from omni_ray.training.schema import problems
from omni_ray.training.tokenizer import (
    MODEL,
    SAMPLE_BYTES,
    TokenizerRequest,
    Trained,
    checkpoint_in,
    find,
    fingerprint,
    train,
)
from omni_ray.visible import visible

USERS = ("thinker", "vision", "omni_sft")
"""Configurations whose trainers read the tokenizer."""


@dataclass
class Vocabulary:
    """The tokenizer of a project.

    Attributes:
        how: where it came from, as a phrase.
        homes: folders, relative to the root, in which trainers look for it.
        places: those into which it is still to be written.
        problems: sentences by configuration, where it would find another tokenizer.
    """

    trained: Trained
    how: str
    homes: Iterable[str] = ()
    places: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)

    def save(self, root: Path) -> list[str]:
        """Write it to its places, and remove what a killed run left half in any; returns the files."""
        for home in self.homes:
            remove_temporaries(root / home)
        for place in self.places:
            self.trained.save(root / place)
        return [f"{place}/{MODEL}" for place in self.places]

    def as_dict(self) -> dict[str, Any]:
        """What the commands print of it with ``--json``."""
        trained = self.trained
        return {"pieces": trained.pieces, "wanted": trained.wanted, "how": self.how, "warnings": self.warnings}


def folders(configs: Mapping[str, Config]) -> dict[str, str]:
    """Where each trainer looks for its tokenizer, by configuration."""
    thinker = str(configs["thinker"].get("save_dir", "checkpoints/thinker_tiny"))
    found = {"thinker": thinker}
    for name in ("vision", "omni_sft"):
        if name in configs:
            found[name] = str(configs[name].get("thinker_ckpt", "checkpoints/thinker_tiny"))
    if is_same(found.get("omni_sft", ""), thinker):
        found["omni_sft"] = f"{thinker.rstrip('/')}_sft"
    return found


def find_tokenizer(root: Path) -> bytes:
    """The model of the tokenizer that the project's trainers share; empty where there is none."""
    try:
        found = find(root / folders({"thinker": read(root, "thinker")})["thinker"])
    except OmniError:
        return b""
    return found.model if found else b""


def is_same(one: str, other: str) -> bool:
    """Whether two folders, as configurations name them, are the same."""
    return PurePosixPath(one) == PurePosixPath(other)


def settle(
    root: Path,
    configs: Mapping[str, Config],
    source: CountedSource | None,
    run: Runner,
    *,
    vocab_size: int | None = None,
    sample_bytes: int = SAMPLE_BYTES,
    again: bool = False,
) -> Vocabulary:
    """The project's tokenizer; trained in memory where there is none, or where its text has changed. Writes nothing.

    A tokenizer that the user put there stays; so does one whose weights have been trained. Any other is trained
    again when the text it came from, or the vocabulary asked for, has changed.

    Args:
        configs: the configurations that use it; ``thinker`` is always among them.
        source: the text to train on, or None where there is none.
        vocab_size: pieces wanted; None for the configured ``vocab_size``.
        sample_bytes: text to train on, at most.
        again: train in any case, and put it in place of whatever is there.

    Raises:
        OmniError: there is no text to train on, or what is there is no tokenizer.
    """
    places = folders(configs)
    home = places["thinker"]
    found = find(root / home)
    wanted = vocab_size or int(configs["thinker"].get("vocab_size", 32000))
    if found is not None and vocab_size is None and wanted == found.pieces:
        # The configured size is what an earlier plan made of the size that was asked for.
        wanted = found.wanted or wanted
    vocabulary: Vocabulary | None = None
    if found is not None and not again:
        kept = Trained(found.model, found.wanted or found.pieces, found.pieces, found.fingerprint or "")
        if found.wanted is None or source is None:
            vocabulary = Vocabulary(kept, f"{home}/{MODEL}, as it is there")
        elif next(iter(run(fingerprint, [TokenizerRequest(source, wanted, sample_bytes)]))) == found.fingerprint:
            vocabulary = Vocabulary(kept, f"{home}/{MODEL}, trained on this text before")
        elif weights := checkpoint_in(root / home):
            vocabulary = Vocabulary(kept, f"{home}/{MODEL}, which {weights.name} beside it was trained with")
            vocabulary.warnings.append(
                f"{home}/{MODEL} was trained on other text; it is kept for {weights.name} beside it"
            )
    if vocabulary is None:
        if source is None:
            raise OmniError(f"{home}/{MODEL} is not there, and there is no text to train it on")
        trained: Trained = next(iter(run(train, [TokenizerRequest(source, wanted, sample_bytes)])))
        vocabulary = Vocabulary(trained, f"trained on {_shown(root, source.path)}", places=[home])
        if trained.pieces < wanted:
            vocabulary.warnings.append(
                f"{_shown(root, source.path)} gives {trained.pieces:,} pieces at most; "
                f"vocab_size is {trained.pieces:,} instead of {wanted:,}"
            )
    vocabulary.homes = places.values()
    _copy_to_others(root, vocabulary, places, again)
    return vocabulary


def _copy_to_others(root: Path, vocabulary: Vocabulary, places: Mapping[str, str], again: bool) -> None:
    home = places["thinker"]
    for name, place in places.items():
        if is_same(place, home) or place in vocabulary.places:
            continue
        other = find(root / place)
        if other is not None and other.model == vocabulary.trained.model:
            continue
        weights = checkpoint_in(root / place) if other is not None else None
        if other is None or again or (other.wanted is not None and weights is None):
            vocabulary.places.append(place)
        else:
            of = f", and {weights.name} beside it was trained with it" if weights else ""
            vocabulary.problems[name] = (
                f"{place}/{MODEL} is another tokenizer than {home}/{MODEL}{of}; move one of the two away"
            )


@dataclass
class TokenizerReport(Report):
    """A tokenizer made on request, and the files that were written for it."""

    vocabulary: Vocabulary
    written: list[str]

    def lines(self) -> list[str]:
        """The size of the vocabulary and where it is from, warnings, and the files."""
        found = [f"vocabulary: {self.vocabulary.trained.pieces:,} pieces, {self.vocabulary.how}"]
        found += [f"note: {warning}" for warning in self.vocabulary.warnings]
        return [visible(line) for line in (*found, "written: " + ", ".join(self.written))]

    def as_dict(self) -> dict[str, Any]:
        """What the command prints with ``--json``."""
        return {**self.vocabulary.as_dict(), "written": self.written}


def train_tokenizer(
    root: str | Path = ".",
    *,
    vocab_size: int | None = None,
    sample_bytes: int = SAMPLE_BYTES,
    data: Choice = "auto",
    force: bool = False,
    shards: str | None = None,
    run: Runner = inline,
) -> TokenizerReport:
    """Train the project's tokenizer, put it where the trainers look, and set ``vocab_size`` in their configurations.

        root: the project folder.
        vocab_size: pieces wanted; None for what the configuration says.
        sample_bytes: text to train on, at most.
        force: even where weights were trained with the tokenizer that is there, and where the user put it there; the
            latter stays as ``tokenizer.model.bak``.
        shards: another place for shards.
        run: trains it, as a task.

    Raises:
        OmniError: no text, weights would lose their tokenizer or the user their own, or a configuration cannot be read.
    """
    root = Path(root)
    store = Store(root, shards)
    with lease(store.state_folder, "omni-ray tokenizer train"):
        configs = {name: read(root, name) for name in USERS}
        for name, config in configs.items():
            if wrong := problems(name, config.values):
                raise OmniError(wrong[0])
        source = text_to_train_on(root, committed_shards(store), configs, data)
        if source is None:
            raise OmniError(f"{root}: no text to train a tokenizer on; run `omni-ray prepare text --combine` first")
        if not force:
            for place in dict.fromkeys(folders(configs).values()):
                _refuse_to_replace(root, place)
        vocabulary = settle(root, configs, source, run, vocab_size=vocab_size, sample_bytes=sample_bytes, again=True)
        written = vocabulary.save(root)
        for config in configs.values():
            share(config, vocabulary.trained.pieces)
            if config.write(root):
                written.append(file_name(config.name))
    return TokenizerReport(vocabulary, written)


def _refuse_to_replace(root: Path, place: str) -> None:
    if weights := checkpoint_in(root / place):
        raise OmniError(
            f"{place}/{weights.name} was trained with the tokenizer beside it; move it away, or give --force"
        )
    there = find(root / place)
    if there is not None and there.wanted is None:
        raise OmniError(f"{place}/{MODEL} is not one that was trained here; move it away, or give --force")


def share(config: Config, pieces: int, *, has_weights: bool = False) -> None:
    """Set ``vocab_size`` wherever ``config`` has one for the shared tokenizer.

    Args:
        pieces: pieces of the tokenizer.
        has_weights: there are weights already, so a size with room for all pieces stays: they fit no other.
    """
    keys = {"thinker": ["vocab_size"], "omni_sft": ["thinker.vocab_size"]}
    for key in keys.get(config.name, ["vocab_size", "thinker.vocab_size"]):
        if not (has_weights and int(config.get(key, 0)) >= pieces):
            config.set(key, pieces, "pieces of the tokenizer")


def _shown(root: Path, path: str) -> str:
    return path.removeprefix(f"{root.absolute()}/")
