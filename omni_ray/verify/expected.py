"""How many rows each file should have, where that is not the number of its samples: lines joined, groups held out."""

from __future__ import annotations

from omni_ray.pipeline import combined as records_of
from omni_ray.pipeline.store import Store


class Expected:
    """What the run that wrote the files of a modality noted about them.

    Args:
        store: the shards, and beside them the record.
        modality: text, audio, images or ocr.
        promised: samples according to the shards; None where they cannot say.
    """

    def __init__(self, store: Store, modality: str, promised: int | None) -> None:
        record = records_of.load(store.state_folder, modality)
        alone = records_of.load(store.state_folder, modality, production=False)
        self._written = {file.path: file.records for each in (alone, record) if each for file in each.files}
        files = record.files if record is not None else ()
        files = files if any(file.is_held_out for file in files) or (record and record.packing) else ()
        self._rows = {file.path: file.records for file in files}
        kept = next((file.samples for file in files if file.is_production), 0)
        held = next((file.samples for file in files if file.is_held_out), 0)
        # Where the shards have other samples by now, the files are compared with those.
        self._agrees = promised == kept + held

    def rows(self, path: str, samples: int | None) -> int | None:
        """Rows to expect in the file at ``path``, of ``samples`` according to the shards."""
        return self._rows.get(path, samples) if self._agrees else samples

    def written(self, path: str) -> int:
        """Rows that the file at ``path`` was written with; 0 where no run noted that it wrote it."""
        return self._written.get(path, 0)

    def is_empty(self, path: str) -> bool:
        """Whether the file was written without a row: such a small share took all or nothing."""
        return self._agrees and self._rows.get(path) == 0
