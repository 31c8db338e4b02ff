"""From a project's shards to a dataset in a folder: what is chosen, where it is made, and on what it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from omni_ray import __version__
from omni_ray.digests import digest_of_json
from omni_ray.errors import OmniError
from omni_ray.export import mds, webdataset
from omni_ray.export.folder import Mark, is_current, making
from omni_ray.export.hf import SPLIT_NAMES, write_hf
from omni_ray.export.parts import CorpusParts, CorpusSide, chosen_corpora, in_sides
from omni_ray.pipeline.engine import Runner, inline
from omni_ray.pipeline.parts import Part
from omni_ray.pipeline.store import Store
from omni_ray.pipeline.whose import signature
from omni_ray.progress.reporter import Reporter, usual
from omni_ray.results import Report, table
from omni_ray.storage import written_in
from omni_ray.visible import visible

_WRITERS: dict[str, tuple[Callable[..., None], int]] = {
    "webdataset": (webdataset.write_webdataset, webdataset.SHARD_BYTES),
    "mds": (mds.write_mds, mds.SHARD_BYTES),
}
"""What writes files of a length of their own, and the length that they have unless another is asked for."""
FORMS = ("hf", *_WRITERS)
VERSION = 4
"""Raised when the same shards give other files; it makes every export stale."""
_SMALL_BYTES = 64 << 20
"""Up to here, starting Ray takes longer than the work."""


@dataclass(frozen=True)
class Exported:
    """One side of a corpus in an export: its name there, its modality, the name of the split, rows and samples."""

    name: str
    modality: str
    split: str
    rows: int
    samples: int


@dataclass
class ExportReport(Report):
    """What an export is.

    Attributes:
        form: "hf", "webdataset" or "mds".
        folder: where it is.
        corpora: what is in it.
        files, bytes: of everything in the folder.
        was_there: whether it was all there already, and nothing was written.
    """

    form: str
    folder: str
    corpora: list[Exported] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    was_there: bool = False

    def lines(self) -> list[str]:
        """What is in it as a table, and whether it was written now."""
        rows = [(each.name, each.split, each.rows, each.samples) for each in self.corpora]
        said = "nothing to do: it was all there already" if self.was_there else "written"
        whole = f"{self.folder}: {self.files:,} files, {self.bytes:,} bytes; {said}"
        return [*table(("dataset", "split", "rows", "samples"), rows, left=2), visible(whole)]


def export(
    store: Store,
    form: str,
    folder: str | Path,
    *,
    modalities: Sequence[str] = (),
    names: Sequence[str] = (),
    samples_per_shard: int | None = None,
    shard_bytes: int | None = None,
    run: Runner,
    reporter: Reporter | None = None,
) -> ExportReport:
    """Write the committed samples as a dataset.

    Args:
        store: the committed shards.
        form: "hf", "webdataset" or "mds".
        folder: a new or empty folder, or one that holds an earlier export of the same form and project, which is replaced.
        modalities, names: only these modalities and corpora; none for all.
        samples_per_shard, shard_bytes: length of tar and MDS files; not both. Default: about 256 and 64 MiB.
        run: maps the work over shards where there is enough of it; a little is done in this process.
        reporter: told of each file.

    Raises:
        OmniError: wrong options, nothing to export, or a folder that holds something else.
    """
    if form not in FORMS:
        raise OmniError(f"{form}: no such form of export; choose one of {', '.join(FORMS)}")
    if samples_per_shard is not None and shard_bytes is not None:
        raise OmniError("--samples-per-shard and --shard-bytes both say how long a file is; give one of them")
    if "://" in str(folder):
        raise OmniError(f"{folder}: an export is written to a local or shared folder; copy it to a store afterwards")
    target = written_in(Path(folder).absolute().resolve())
    told = reporter or usual()
    corpora = chosen_corpora(store, modalities, names)
    fingerprint = _fingerprint(form, store.root, corpora, samples_per_shard, shard_bytes)
    project = signature(store.state_folder)
    was_there = is_current(target, form, fingerprint, project)
    if not was_there:
        target.parent.mkdir(parents=True, exist_ok=True)
        with making(target, form, fingerprint, project) as work:
            parts = [part for corpus in corpora for part in corpus.parts]
            mapped = inline if sum(part.bytes for part in parts) <= _SMALL_BYTES else run
            _check(parts, mapped, told)
            sides = in_sides(corpora, mapped)
            if form == "hf":
                write_hf(work.folder, corpora, sides, _title(store), mapped, told)
            else:
                write, usual_bytes = _WRITERS[form]
                write(work.folder, sides, samples_per_shard, shard_bytes or usual_bytes, mapped, told)
            work.datasets = [asdict(_exported(side, form)) for side in sides]
    mark = Mark.load(target)
    assert mark is not None
    return ExportReport(
        form,
        str(folder),
        [Exported(**each) for each in mark.datasets],
        len(mark.files) + 1,
        sum(mark.files.values()),
        was_there,
    )


def _exported(side: CorpusSide, form: str) -> Exported:
    name, split = (side.corpus.name, SPLIT_NAMES[side.split]) if form == "hf" else (side.name, side.split)
    return Exported(name, side.modality, split, side.rows, side.samples)


def _title(store: Store) -> str:
    return store.root.absolute().resolve().name or "omni-ray"


def _fingerprint(
    form: str, root: Path, corpora: Sequence[CorpusParts], samples_per_shard: int | None, shard_bytes: int | None
) -> str:
    value = [
        VERSION,
        __version__,
        form,
        root.absolute().resolve().name,
        samples_per_shard,
        shard_bytes,
        [
            [corpus.name, asdict(corpus.state), corpus.summary.as_dict(), corpus.identity]
            for corpus in corpora
        ],
    ]  # fmt: skip
    return digest_of_json(value)


def _check(parts: Sequence[Part], run: Runner, reporter: Reporter) -> None:
    """Raise OmniError for a shard that is not the one that was committed: readers of an export have no digest to hold it against."""
    reporter.begin("checking shards", len(parts), stage="export")
    for _ in run(Part.check, parts):
        reporter.advance("checking shards")
