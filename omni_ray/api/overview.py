"""What is there, from manifests alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from omni_ray.api.in_numbers import HEADER, InNumbers, numbers_row, source_and_clean_lines
from omni_ray.pipeline.corpus_state import Summary
from omni_ray.pipeline.store import Store
from omni_ray.quality.cleaned import CleanedCorpus, training_corpora
from omni_ray.quality.outdated import all_outdated
from omni_ray.results import ListReport, table
from omni_ray.visible import visible


class StatusReport(InNumbers, ListReport[Summary]):
    """Every prepared corpus in numbers: a list that can also describe itself in words.

    Attributes:
        unread_shown: how many kinds of unread files are named in words for each corpus; None for all.
        outdated: what is to be run again, because cleaned shards or training files are older than what is prepared.
    """

    unread_shown: int | None = 3

    def __init__(self, summaries: Iterable[Summary] = (), outdated: Sequence[str] = ()) -> None:
        super().__init__(summaries)
        self.outdated = outdated

    @property
    def summaries(self) -> list[Summary]:  # type: ignore[override]
        """The corpora."""
        return self

    def lines(self) -> list[str]:
        """The corpora as a table, what of their sources is not read, what cleaning did, and whether something is left."""
        if not self:
            return ["nothing is prepared here; start with `omni-ray demo` or `omni-ray prepare`"]
        rows = [[*numbers_row(each), each.units_done, each.units_left] for each in self]
        found = source_and_clean_lines(self, self.unread_shown)
        found += self.outdated
        if any(each.units_left for each in self):
            found.append("run the same prepare command again to finish what is left")
        return [*table((*HEADER, "units", "left"), rows), *map(visible, found)]

    def as_json(self) -> list[dict[str, Any]]:
        return [each.as_dict() for each in self]


def status(root: str | Path, *, shards: str | None = None) -> StatusReport:
    """Every prepared corpus in numbers, from manifests alone.

    Example:
        >>> [(each.name, each.samples, each.quarantined) for each in api.status("project")]
        [('text_files', 6, 0)]
    """
    store = Store(root, shards)
    corpora = training_corpora(store)
    return StatusReport((corpus.summary() for corpus in corpora), all_outdated(store, corpora))


def quarantine(root: str | Path, *, shards: str | None = None) -> Iterator[dict[str, Any]]:
    """Every quarantined record: modality, corpus, id, where, reason, detail, records.

    Example:
        >>> list(api.quarantine("project"))
        []
    """
    for corpus in Store(root, shards).corpora():
        for row in corpus.quarantine():
            yield {"modality": corpus.modality, "corpus": corpus.name, **row}


def removed(root: str | Path, *, shards: str | None = None) -> Iterator[dict[str, Any]]:
    """Every sample that cleaning removed: modality, corpus, id, where, reason, detail, samples.

    Example:
        >>> _ = api.clean("project", preset="default")
        >>> [each["reason"] for each in api.removed("project")]
        ['duplicate_document', 'duplicate_document']
    """
    for corpus in training_corpora(Store(root, shards)):
        if isinstance(corpus, CleanedCorpus):
            for row in corpus.removed():
                yield {"modality": corpus.modality, "corpus": corpus.name, **row}
