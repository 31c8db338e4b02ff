"""Where flat files go, and who has been there before."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from omni_ray.errors import OmniError
from omni_ray.materialize.formats import format_of
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.ours import Identity, Ledger, is_remnant, put_aside, refuse_links
from omni_ray.pipeline import combined as records_of
from omni_ray.pipeline.store import Store
from omni_ray.trainers.files import SHARED


@dataclass(frozen=True)
class FlatFilePlaces:
    """The places of one modality's flat files.

    Attributes:
        root: the project folder.
        modality: text, audio, images or ocr.
        ledger: what earlier runs wrote there.
        replace: keep what is in the way under another name, instead of refusing.
    """

    root: Path
    modality: str
    ledger: Ledger
    replace: bool

    @classmethod
    def of(cls, store: Store, modality: str, replace: bool = False) -> FlatFilePlaces:
        """As the state of a project has them."""
        ledger = Ledger.load(store.state_folder / "combine" / f"{modality}-files.json", store.root)
        for production in (True, False):
            record = records_of.load(store.state_folder, modality, production=production)
            for file, time in zip(record.files, record.times, strict=True) if record else ():
                ledger.times.setdefault(file.path, set()).add((file.bytes, time))
        return cls(store.root, modality, ledger, replace)

    def check(self, paths: Iterable[str]) -> None:
        """Look at the places before anything is made for them.

        Raises:
            OmniError: a file that no run ever wrote, or a link, is in one of them.
        """
        for path in paths:
            refuse_links(self.root, (self.root / path).parent)
            if (self.root / path).is_dir():
                refuse_links(self.root, self.root / path)
            elif os.path.lexists(self.root / path) and not self.ledger.is_known(path) and not self.replace:
                raise OmniError(self._refusal(path))

    def make_way(self, path: str, made: Path, identity: Identity | None) -> str:
        """Make sure that ``made``, whose identity is given, may take the name ``path``; note that it is about to.

        Returns:
            A sentence where another file had to be put aside.

        Raises:
            OmniError: a file that is not ours, or that was changed since, is in the way.
        """
        assert identity is not None
        place = self.root / path
        note = ""
        if os.path.lexists(place) and not self.ledger.is_ours(path) and not is_remnant(place, made):
            if not self.replace:
                raise OmniError(self._refusal(path))
            note = f"what was there is kept as {put_aside(place).name}"
        self.ledger.expect(path, identity)
        return note

    def remove_left(self, targets: Iterable[str]) -> None:
        """Remove our files of corpora that are gone or renamed, if they are as we wrote them."""
        wanted = set(targets)
        for path in sorted({*self.ledger.known, *self.ledger.times} - wanted):
            if self._is_of_a_corpus(path) and self.ledger.is_ours(path):
                (self.root / path).unlink()
                self.ledger.known.pop(path, None)

    def _is_of_a_corpus(self, path: str) -> bool:
        name = path.rpartition("/")[2]
        endings = [file.per_corpus.format(corpus="") for file in format_of(self.modality).files if file.per_corpus]
        return name.endswith(tuple(endings)) and not name.startswith((*SHARED, "."))

    def others(self, sources: Collection[str]) -> str:
        """A sentence about files of others that are among ours and look like them, with the command that brings the first
        one in; "" where there are none. ``sources`` are files that corpora are made from already."""
        folder = self.root / format_of(self.modality).folder
        files = sorted(p.name for p in folder.iterdir() if p.is_file()) if folder.is_dir() else []
        names = [f"{format_of(self.modality).folder}/{name}" for name in files]
        others = [n for n in names if self._is_of_a_corpus(n) and not self.ledger.is_known(n) and n not in sources]
        if not others:
            return ""
        first, more = others[0], f" (and {len(others) - 1} more)" if others[1:] else ""
        stem = re.sub(r"\W+", "_", Path(first).stem)
        return (
            f"{first}{more} is not omni-ray's, and not in it: `omni-ray prepare {self.modality} --dataset {modality_of(self.modality).own_files} --source "
            f"{shlex.quote(first)} --name my_{stem} --combine` brings it in"
        )

    def _refusal(self, path: str) -> str:
        what = "was changed since omni-ray wrote it" if self.ledger.is_known(path) else "is there, and not omni-ray's"
        return (
            f"{path} {what}: move it away, or run `omni-ray combine {self.modality} --replace`, which keeps it beside "
            "under another name"
        )
