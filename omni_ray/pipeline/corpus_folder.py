"""Where the files of a corpus are: its shards in a folder of their own, the accounts of them in another.

``<shards>/<modality>/<corpus>/`` holds ``part-N.parquet`` and nothing else, so that whatever reads a folder of Parquet
(pyarrow, pandas, polars, duckdb, Ray) reads exactly the samples. Manifests, ``corpus.json``, what was quarantined and what
cleaning removed or still needs are in ``<shards>/accounts/<modality>/<corpus>/``, under the names they always had.
Earlier versions wrote all of it into the first folder: it is found and removed there, too.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import reduce
from typing import Any

from omni_ray.errors import OmniError
from omni_ray.storage import Storage

ACCOUNTS = "accounts"
_SHARD = re.compile(r"part-\d{5,}\.parquet")
_ACCOUNT = re.compile(
    r"part-\d{5,}((\.rules)?\.json|\.(quarantine|removed|rules|rules\.removed)\.parquet)|corpus\.json"
)


class CorpusFolder(Storage):
    """The two folders of a corpus, which read and write as one; a name says which of them it belongs to.

    Args:
        shards: the store.
        path: the folder of shards below it, such as ``("text", "books")``.
    """

    def __init__(self, shards: Storage, path: tuple[str, ...]) -> None:
        place = reduce(Storage.child, path, shards)
        super().__init__(place.uri, place.fence)
        self.accounts = reduce(Storage.child, (ACCOUNTS, *path), shards)
        self._above = [reduce(Storage.child, (ACCOUNTS, *path[:end]), shards) for end in range(len(path) - 1, -1, -1)]

    def write(self, name: str, data: bytes | memoryview, *, sync_name: bool = True) -> None:
        if _SHARD.fullmatch(name):
            super().write(name, data, sync_name=sync_name)
        else:
            self.accounts.write(name, data, sync_name=sync_name)

    def sync_names(self) -> None:
        super().sync_names()
        self.accounts.sync_names()

    def read(self, name: str) -> bytes:
        if not _SHARD.fullmatch(name):
            with suppress(FileNotFoundError):
                return self.accounts.read(name)
        return super().read(name)

    def open(self, name: str) -> Any:
        if not _SHARD.fullmatch(name):
            with suppress(FileNotFoundError):
                return self.accounts.open(name)
        return super().open(name)

    def files(self) -> dict[str, int]:
        return {**super().files(), **self.accounts.files()}

    def delete(self, name: str) -> None:
        if not _SHARD.fullmatch(name):
            self.accounts.delete(name)
        super().delete(name)

    def link(self, name: str, shard: str) -> None:
        """Commit a file of the accounts as a shard."""
        self.accounts.copy_to(name, self, shard)

    def misplaced(self) -> list[str]:
        """Names of accounts among the shards: an earlier version wrote them, or somebody else."""
        return [name for name in super().files() if _ACCOUNT.fullmatch(name)]

    def part_accounts(self) -> None:
        """Move what an earlier version wrote among the shards to the other folder. A kill loses nothing: both are read.

        Raises OmniError where another file is there already: one of the two is somebody else's.
        """
        there = self.accounts.files()
        for name in self.misplaced():
            data = super().read(name)
            if name not in there:
                self.accounts.write(name, data)
            elif self.accounts.read(name) != data:
                raise OmniError(
                    f"{self.shown}/{name} is called like a file of omni-ray, and is not of it: move it away"
                )
            super().delete(name)

    def remove_temporaries(self) -> None:
        super().remove_temporaries()
        self.accounts.remove_temporaries()

    def remove_if_empty(self) -> None:
        super().remove_if_empty()
        for folder in (self.accounts, *self._above):
            folder.remove_if_empty()


def corpus_names(shards: Storage, path: tuple[str, ...]) -> list[str]:
    """Names of the corpora whose folders are in ``path``, of shards or of accounts, sorted."""
    places = (reduce(Storage.child, path, shards), reduce(Storage.child, (ACCOUNTS, *path), shards))
    return sorted({name for place in places for name in place.folders()})
