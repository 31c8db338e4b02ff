"""Where flat files go, and who has been there before."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from omni_ray.errors import OmniError
from omni_ray.materialize import record as records_of
from omni_ray.materialize.ours import Identity, Ledger, is_remnant, put_aside, refuse_links
from omni_ray.pipeline.store import Store


@dataclass(frozen=True)
class Places:
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
    def of(cls, store: Store, modality: str, replace: bool = False) -> Places:
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

    def _refusal(self, path: str) -> str:
        what = "was changed since omni-ray wrote it" if self.ledger.is_known(path) else "is there, and not of omni-ray"
        return (
            f"{path} {what}: move it away, or run `omni-ray combine {self.modality} --replace`, which keeps it beside "
            "under another name"
        )
