"""What is to be trained on and what is held out must have nothing in common: no line, medium, document or speaker.

Both files are read once, with everything else that is verified; what their pieces saw, and what the shards say belongs
together, are sightings (:mod:`omni_ray.verify.sightings`), spread over slices of keys in files. Then lines, paths and contents
meet slice by slice, and last what they tell about their groups. However large the corpus, a piece holds a shard
or a slice, and the leading process a million sightings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

from omni_ray.errors import OmniError
from omni_ray.quality.hashing import Hashes
from omni_ray.quality.partitions import EntryFiles, read_slice, slice_of, write_slices
from omni_ray.storage import Storage
from omni_ray.trainers.files import FILES
from omni_ray.trainers.reading import Elements
from omni_ray.verify import groups
from omni_ray.verify.annotations import image_of
from omni_ray.verify.lines import LinesCheck
from omni_ray.verify.pieces import FileCheck, Piece, PieceFindings
from omni_ray.verify.report import EXAMPLES, Notes
from omni_ray.verify.sightings import (
    HELD,
    TRAINED,
    Sightings,
    common_contents,
    common_groups,
    common_samples,
)
from omni_ray.verify.tables import Table

SLICE_SIGHTINGS = 1 << 19
"""Sightings that meet at once, about: 12 MB, and some 80 MB while they are sorted."""


@dataclass(frozen=True)
class InShard(Piece):
    """A shard to be looked through."""

    key: str
    source: groups.HeldOutShard
    number: int
    progress: float

    @property
    def weight(self) -> int:
        """A thousand lines take about as long as a clip."""
        return 1 + (self.source.part.rows >> 10)

    def check(self) -> PieceFindings:
        part = PieceFindings(self.key, Notes("shards"), progress=self.progress)
        # Shards that cannot be read are a finding of their own.
        with suppress(OmniError, OSError, pa.ArrowException):
            part.sightings["sample"] = self.source.sightings(self.number)
        return part


@dataclass(frozen=True)
class Meeting(Piece):
    """A slice of sightings: of lines or paths ("sample"), of contents, or of groups."""

    key: str
    storage: Storage
    what: str
    files: int
    number: int
    progress: float
    weight = SLICE_SIGHTINGS >> 10

    def check(self) -> PieceFindings:
        names = [f"{self.what}-{number:04d}" for number in range(self.files)]
        seen = Sightings(**read_slice(self.storage, names, self.number))
        part = PieceFindings(self.key, Notes("shards"), progress=self.progress)
        if self.what == "sample":
            common, part.sightings["group"] = common_samples(seen, EXAMPLES)
        elif self.what == "content":
            common = common_contents(seen, EXAMPLES)
        else:
            common = common_groups(seen, EXAMPLES)
        part.sums = Counter({self.what: common.number, "apart": common.apart})
        part.examples = [(self.what, *places) for places in common.examples]
        return part


class BothSides:
    """The two files of a modality, compared with each other; what is found is noted for the one that is held out.

    Args:
        root: the project folder.
        trained, held: the files.
        sources: the shards that they were made from; none where there are no groups to look at.
        scratch: an empty folder that all workers reach.
        about: how many samples there are.
    """

    def __init__(
        self,
        root: Path,
        trained: FileCheck,
        held: FileCheck,
        sources: Sequence[groups.HeldOutShard],
        scratch: Path,
        about: int,
    ) -> None:
        self.key = f"{held.key}, against {Path(trained.key).name}"
        self._root = root
        self._trained, self._held = trained, held
        self._sources = sources
        self._storage = Storage(scratch)
        self._slices = 1 + 2 * about // SLICE_SIGHTINGS
        self._spread = {what: EntryFiles(what, self._write) for what in ("sample", "content", "group")}
        self._examples: list[tuple[str, int, int]] = []
        self._sums: Counter[str] = Counter()
        trained.side, held.side = TRAINED, HELD

    def _write(self, name: str, columns: tuple[Hashes, ...]) -> None:
        seen = Sightings(*columns).once()
        write_slices(self._storage, name, seen._asdict(), slice_of(seen.key, self._slices), self._slices)

    def pieces(self) -> Iterator[Piece]:
        """The shards."""
        for number, source in enumerate(self._sources):
            yield InShard(self.key, source, number, (number + 1) / len(self._sources) / 2)

    def meetings(self, *what: str) -> Iterator[Piece]:
        """What was seen so far of "sample", "content" or "group", slice by slice."""
        for each in what:
            files = len(self._spread[each].close())
            for number in range(self._slices if files else 0):
                yield Meeting(self.key, self._storage, each, files, number, 0.9 if each == "group" else 0.75)

    def take_in(self, part: PieceFindings) -> None:
        """What was seen in a piece of one of the files, or of the shards, or found where they met."""
        for what, seen in part.sightings.items():
            self._spread[what].add(*seen)
        if part.key == self.key:
            self._sums += part.sums
            self._examples += part.examples

    def finish(self) -> None:
        """Note what is on both sides."""
        notes = self._held.notes
        found = {
            what: sorted(each[1:] for each in self._examples if each[0] == what)[:EXAMPLES] for what in self._spread
        }
        if isinstance(self._held, LinesCheck):
            for held, _ in found["sample"]:
                number = self._held.line_at(held)
                notes.add("both_sides", self._line(number), line=number + 1)
        else:
            mine = self._paths(self._held, {held for held, _ in found["sample"] + found["content"]})
            others = self._paths(self._trained, {trained for _, trained in found["content"]})
            for held, _ in found["sample"]:
                notes.add("both_sides", f"{mine.get(held, '')} is on both sides", row=held)
            for held, trained in found["content"]:
                notes.add("both_sides", f"{mine.get(held, '')} has the bytes of {others.get(trained, '')}", row=held)
        for places in found["group"]:
            rows = (self._sources[at >> groups.ROW_BITS].row(at & (1 << groups.ROW_BITS) - 1) for at in places)
            notes.add("group_both_sides", groups.said(*rows))
        for what, examples in found.items():
            if more := self._sums[what] - len(examples):
                notes.counts["group_both_sides" if what == "group" else "both_sides"] += more
        if self._sums["apart"]:
            self._held.report.facts["lines_of_both_sides"] = self._sums["apart"]

    def _line(self, number: int) -> str:
        """A line of the held-out file, counted from 0, for people."""
        with open(self._root / self._held.key, "rb") as file:
            return repr(next(islice(file, number, None), b"").decode("utf-8", "replace").strip()[:60])

    def _paths(self, check: FileCheck, rows: set[int]) -> dict[int, str]:
        """The media that rows of a file name."""
        path, kind = self._root / check.key, check.report.kind
        if not rows:
            return {}
        with open(path, "rb") as file:
            numbered = enumerate(map(image_of, Elements(file)))
            if FILES[kind].form != "list":
                numbered = enumerate(row.media or "" for row in Table(path, kind, Notes(kind)))
            wanted = islice(numbered, max(rows) + 1)
            return {number: media for number, media in wanted if number in rows}
