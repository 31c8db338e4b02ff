"""A folder of speech, and what is read of it as a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omni_ray.corpora.base import Rejected, SourceOptions
from omni_ray.corpora.locate import LocatedCorpus, locate
from omni_ray.corpora.registry import all_corpora
from omni_ray.errors import SourceError

CORPORA = {corpus.name: corpus for corpus in all_corpora("audio")}


class Source:
    """Files put into a folder, read as a corpus."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, name: str, data: bytes | str) -> None:
        path = self.folder / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    def found(self, name: str, **options: Any) -> LocatedCorpus:
        source = str(self.folder / "source")
        return locate(CORPORA[name], self.folder, source, SourceOptions(**options), cache=self.folder / "index")

    def found_any(self, name: str, **options: Any) -> bool:
        """Whether the source holds the corpus at all."""
        try:
            return bool(list(self.found(name, **options).drafts))
        except SourceError:
            return False

    def rows(self, name: str, **options: Any) -> list[dict[str, Any] | Rejected]:
        found = self.found(name, **options)
        return [row for draft in found.drafts for row in found.reader.read(found.tree, draft.payload)]

    def texts(self, name: str, **options: Any) -> list[str]:
        return [row["text"] for row in self.rows(name, **options) if isinstance(row, dict)]

    def reasons(self, name: str, **options: Any) -> list[str]:
        return [row.reason for row in self.rows(name, **options) if isinstance(row, Rejected)]
