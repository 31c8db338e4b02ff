"""Rows of shards for torch: an iterable dataset whose media are tensors."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.distributed as together
from torch.utils.data import IterableDataset, get_worker_info

if TYPE_CHECKING:
    import pyarrow as pa


class TorchSamples(IterableDataset[dict[str, Any]]):
    """Rows as dicts, media decoded; what is unknown is None.

    Args:
        shards: read the tables of one each. Several workers, or ranks, take shards in turn: none is read twice.
    """

    def __init__(self, shards: Sequence[Callable[[], Iterator[pa.Table]]]) -> None:
        self._shards = tuple(shards)
        self._rank = 0, 1

    def __getstate__(self) -> dict[str, Any]:
        """What workers get that are not forked: they know nothing of their rank's process group."""
        return {**self.__dict__, "_rank": self._rank_now()}

    def _rank_now(self) -> tuple[int, int]:
        """This rank, and how many there are; in a worker those of the process that it works for."""
        if together.is_available() and together.is_initialized():
            return together.get_rank(), together.get_world_size()
        return self._rank

    def __iter__(self) -> Iterator[dict[str, Any]]:
        number, of = self._turn()
        for tables in self._shards[number::of]:
            for table in tables():
                for batch in table.to_batches(max_chunksize=64):
                    yield from map(_decoded, batch.to_pylist())

    def _turn(self) -> tuple[int, int]:
        """The number of this reader, and how many there are."""
        worker = get_worker_info()
        number, of = (worker.id, worker.num_workers) if worker is not None else (0, 1)
        rank, ranks = self._rank_now()
        return rank * of + number, ranks * of


def _decoded(row: dict[str, Any]) -> dict[str, Any]:
    if "audio" in row:
        import soundfile

        samples, _ = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
        return {**row, "audio": torch.from_numpy(samples)}
    if "image" in row:
        from PIL import Image

        with Image.open(io.BytesIO(row["image"]["bytes"])) as picture:
            pixels = np.array(picture.convert("RGB"))
        return {**row, "image": torch.from_numpy(pixels).permute(2, 0, 1)}
    return row
