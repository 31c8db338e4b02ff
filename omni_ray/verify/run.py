"""Verifying a project: which files there are, who looks at them, and the verdict."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from math import floor
from pathlib import Path
from typing import Any

import pyarrow as pa

from omni_ray.errors import OmniError
from omni_ray.materialize.speakers import groups_of
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.combined import last_share
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.parts import training_parts
from omni_ray.pipeline.store import Store
from omni_ray.progress.reporter import Reporter, usual
from omni_ray.quality.cleaned import training_corpora
from omni_ray.quality.outdated import outdated
from omni_ray.trainers.files import FILES, all_modalities, files_of
from omni_ray.verify.annotations import AnnotationsCheck
from omni_ray.verify.clips import ClipJudge
from omni_ray.verify.expected import Expected
from omni_ray.verify.groups import HeldOutShard
from omni_ray.verify.lines import LinesCheck, Tokenizer
from omni_ray.verify.media import Judge, PresenceJudge
from omni_ray.verify.pictures import PictureJudge
from omni_ray.verify.pieces import FileCheck, Piece, PieceFindings, Runner, check
from omni_ray.verify.report import VerifyReport
from omni_ray.verify.scratch import scratch_folder
from omni_ray.verify.shards import CorpusCheck, Promised, corpora_of
from omni_ray.verify.sides import BothSides
from omni_ray.verify.tables import Pick, TableCheck
from omni_ray.verify.written import hashes

_DATA = ("production", "synthetic")
JUDGES: dict[str, Callable[[str, str, dict[str, int]], Judge]] = {
    "audio": lambda project, folder, sizes: ClipJudge(project, folder),
    "images": PictureJudge,
    "ocr": PictureJudge,
}
"""Who looks at the media of a modality: of the project folder, where paths start in it, and the sizes that corpora promise. Where
there is nobody, media are only to be there."""
_SAMPLED_ROWS = 1 << 20
_CONFIG_LIMIT = 1 << 20


def verify(
    root: str | Path,
    *,
    modalities: Sequence[str] = (),
    data: str = "production",
    sample: int | float | None = None,
    run: Runner = inline,
    shards: str | None = None,
    reporter: Reporter | None = None,
) -> VerifyReport:
    """Read the training files back, as strictly as the trainers are fragile.

    Every record is judged, every clip and image decoded to its end, the rows counted against the shards' manifests,
    and shards, training files and media against the checksums that were noted of them.

    Args:
        root: the project folder.
        modalities: which of text, audio, images, ocr; none for all that are there.
        data: "production" or "synthetic" (the tiny files).
        sample: decode only this share (a float under 1) or about this number (an int) of the media of each file,
            evenly spaced, and leave the checksums out. Records are judged all the same.
        run: maps a function over pieces of work.
        shards: another place for shards and manifests, such as ``s3://bucket/prefix``.
        reporter: told of progress.

    Raises:
        OmniError: a wrong argument, or there is nothing to verify.
        OSError: a file cannot be read.
    """
    if sample is not None and not (sample >= 1 if isinstance(sample, int) else 0 < sample <= 1):
        raise OmniError(f"--sample {sample}: give a number of at least 1, or a share between 0 and 1")
    project = _Project(Path(root).absolute(), Store(root, shards), data, sample)
    checks = project.checks(modalities)
    with ExitStack() as stack:
        sides = list(project.both_sides(checks, stack))
        _look(checks, sides, project.hashes(checks), run, reporter or usual())
        report = VerifyReport(sample=sample)
        for each in checks:
            each.finish()
        for pair in sides:
            pair.finish()
    for each in checks:
        report.files.append(each.report)
        report.findings += each.notes.findings(each.key)
    return report


def _look(
    checks: Sequence[FileCheck], sides: Sequence[BothSides], hashes: Iterable[Piece], run: Runner, reporter: Reporter
) -> None:
    """All pieces, then ``hashes``; then, where there are two sides, what they saw, and then what that says about groups."""
    by_key = {each.key: each for each in checks}
    progress = _Progress(reporter)

    def taken_in(part: PieceFindings) -> PieceFindings:
        for pair in sides:
            pair.take_in(part)
        # What was seen is large, and the earlier parts may take long to come.
        return replace(part, sightings={})

    def look(pieces: Iterable[Piece]) -> None:
        for part in run(check, pieces, at_once=taken_in):
            each = by_key.get(part.key)
            if each is not None:
                each.absorb(part)
            progress.reached(part, each.report.rows if each else 0, each.report.lost if each else 0)

    everything: list[FileCheck | BothSides] = [*checks, *sides]
    look(chain((piece for each in everything for piece in each.pieces()), hashes))
    for what in (("sample", "content"), ("group",)):
        meetings = [piece for pair in sides for piece in pair.meetings(*what)]
        if meetings:
            look(meetings)
    reporter.end()


class _Progress:
    """How far files are, in hundredths, on a reporter."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._done: dict[str, tuple[int, int, int]] = {}

    def reached(self, part: PieceFindings, rows: int, lost: int) -> None:
        """A piece was looked at; of its file, so many rows are read so far, and lost."""
        if part.key not in self._done:
            self._reporter.begin(part.key, 100, stage="verify")
        before, now = self._done.get(part.key, (0, 0, 0)), (int(part.progress * 100), rows, lost)
        self._done[part.key] = now
        pieces, kept, lost = (b - a for a, b in zip(before, now, strict=True))
        self._reporter.advance(part.key, pieces=pieces, kept=kept, lost=lost)


@dataclass
class _Project:
    """Where everything is, and what was asked for."""

    root: Path
    store: Store
    data: str
    sample: int | float | None

    @property
    def _names(self) -> dict[str, str]:
        """The files that the trainers read, by kind, relative to the project folder."""
        is_made = self.data == "production"
        return {kind: file.production_path if is_made else file.synthetic_path for kind, file in FILES.items()}

    def checks(self, modalities: Sequence[str]) -> list[FileCheck]:
        """One check for each file, and for each corpus of shards."""
        if self.data not in _DATA:
            raise OmniError(f"--data {self.data}: choose {' or '.join(_DATA)}")
        for each in modalities:
            modality_of(each)
        wanted = [m for m in all_modalities() if not modalities or m in modalities]
        names = self._names
        there: dict[str, list[str]] = {m: [k for k in _kinds(m) if (self.root / names[k]).is_file()] for m in wanted}
        for each in modalities:
            if not there[each]:
                raise OmniError(f"{self.root / names[_kinds(each)[0]]} is not there; {self._advice(each)}")
        if not any(there.values()):
            raise OmniError(f"there is no {self.data} file under {self.root / 'data'}; {self._advice(wanted[0])}")
        checks: list[FileCheck] = []
        for modality in wanted:
            checks += self._of_modality(modality, there[modality])
        return checks

    def _advice(self, modality: str) -> str:
        if self.data == "synthetic":
            return "run `omni-ray synth` first"
        prepared = any(corpora_of(self.store, each) for each in all_modalities())
        return "run `omni-ray combine` first" if prepared else f"run `omni-ray prepare {modality} --combine` first"

    def _of_modality(self, modality: str, there: Sequence[str]) -> list[FileCheck]:
        corpora: list[CorpusCheck] = []
        promised = Promised()
        if self.data == "production":
            corpora = [CorpusCheck(c, hashes=self.sample is None) for c in corpora_of(self.store, modality)]
            for corpus in corpora:
                promised.samples[corpus.name] = corpus.samples
                if corpus.size is not None:
                    promised.sizes[corpus.name] = corpus.size
        checks: list[FileCheck] = [*corpora]
        expected = Expected(self.store, modality, promised.total)
        why = self._outdated(modality)
        for kind in _kinds(modality):
            if kind in there:
                each = self._check(kind, self._names[kind], promised, there)
                each.report.expected = expected.rows(each.key, promised.total)
                if why:
                    each.notes.add("outdated", why)
                checks.append(each)
            elif there or promised.total:
                checks.append(_Missing(self._names[kind], kind, promised.total))
            file = FILES[kind]
            for name, samples in promised.samples.items() if file.per_corpus else ():
                path = f"{file.folder}/{file.of(name)}"
                rows = expected.rows(path, samples)
                if (self.root / path).is_file() and not expected.is_empty(path):
                    each = self._check(kind, path, promised, there, media=False)
                    each.report.expected = rows
                    checks.append(each)
                elif lost := expected.written(path):
                    checks.append(_Missing(path, kind, lost, "corpus_file_missing"))
        return [*checks, *self._held_out(modality, promised, expected)]

    def _outdated(self, modality: str) -> str:
        """Why the training files are not those of the shards, in a sentence; "" where they are, or shards are missing."""
        try:
            return outdated(self.store, training_corpora(self.store, modality)) if self.data == "production" else ""
        except OmniError:
            return ""  # a finding about the shards

    def _held_out(self, modality: str, promised: Promised, expected: Expected) -> Iterator[FileCheck]:
        """What is held out of the training files, judged as they are."""
        names = {kind: file.held_out_path for kind, file in FILES.items()}
        wanted = _kinds(modality) if self.data == "production" else []
        there = [k for k in wanted if (self.root / names[k]).is_file()]
        for kind in wanted:
            if kind not in there and (lost := expected.rows(names[kind], None)):
                yield _Missing(names[kind], kind, lost, "held_out_missing")
        for kind in there:
            if not expected.is_empty(names[kind]):
                each = self._check(kind, names[kind], promised, there, names=names)
                each.report.expected = expected.rows(names[kind], None)
                yield each

    def both_sides(self, checks: Sequence[FileCheck], stack: ExitStack) -> Iterator[BothSides]:
        """What is held out beside what is trained on; ``stack`` keeps a folder for what is compared."""
        there = {each.key: each for each in checks if not isinstance(each, _Missing)}
        for file in FILES.values() if self.data == "production" else ():
            trained, held = there.get(file.production_path), there.get(file.held_out_path)
            if not file.twin and trained is not None and held is not None:
                scratch = stack.enter_context(scratch_folder(self.store.state_folder))
                about = sum(_rows_about(self.root / each.key) for each in (trained, held))
                yield BothSides(self.root, trained, held, self._sources(file.modality), scratch, round(about))

    def hashes(self, checks: Sequence[FileCheck]) -> Iterator[Piece]:
        """What is to be as ``combine`` wrote it; nothing of a quick look."""
        return hashes(self.store, checks if self.data == "production" and self.sample is None else ())

    def _sources(self, modality: str) -> list[HeldOutShard]:
        """The shards that say what belongs together."""
        kind = modality_of(modality)
        if not kind.group_columns:
            return []
        found = []
        try:
            holdout = last_share(self.store.state_folder, modality)
            for corpus in training_corpora(self.store, modality):
                # A single speaker is held out by clip.
                if not kind.has_speakers or groups_of(corpus, corpus.parts()) != "one speaker":
                    found += [HeldOutShard(corpus.name, part, holdout) for part in training_parts(corpus)]
        except (OmniError, OSError, pa.ArrowException):
            return []  # shards that cannot be read, and counts that disagree, are findings of their own
        return found

    def _check(
        self,
        kind: str,
        key: str,
        promised: Promised,
        there: Sequence[str],
        *,
        media: bool = True,
        names: Mapping[str, str] | None = None,
    ) -> FileCheck:
        path, file = self.root / key, FILES[kind]
        if file.form == "lines":
            return LinesCheck(key, path, tokenizer=tokenizer_of(self.root) if media else None)
        twin = self.root / (names or self._names)[file.twin] if file.twin in there else None
        judge: Judge | None = None
        if media and twin is None:
            judged = JUDGES.get(file.modality, _presence)
            judge = judged(str(self.root), file.media_root, promised.sizes)
        pick = self._pick(path)
        if file.form == "list":
            return AnnotationsCheck(key, path, judge=judge, pick=pick, count_all=self.sample is None)
        return TableCheck(key, path, kind, judge=judge, pick=pick, twin=twin)

    def _pick(self, path: Path) -> Pick:
        """Evenly spaced rows, the first among them; the same ones every time."""
        share = 1.0 if self.sample is None else self.sample
        if isinstance(share, int):
            share = min(1.0, share / _rows_about(path))
        return lambda row: floor(row * share) > floor((row - 1) * share)


def _presence(project: str, folder: str, sizes: dict[str, int]) -> Judge:
    return PresenceJudge(project, folder)


def _kinds(modality: str) -> list[str]:
    return [file.kind for file in files_of(modality)]


def _rows_about(path: Path) -> float:
    """About how many rows a file has, from its size and the line ends of its first megabyte."""
    with open(path, "rb") as file:
        head = file.read(_SAMPLED_ROWS)
        size = file.seek(0, 2)
    return max(1, head.count(b"\n") - 1) * size / max(1, len(head))


class _Missing(FileCheck):
    """A file that should be there and is not."""

    def __init__(self, key: str, kind: str, expected: int | None, code: str = "file_missing") -> None:
        super().__init__(key, kind)
        self._code = code
        self.report.expected = expected
        self.report.lost = expected or 0

    def pieces(self) -> Iterator[Piece]:
        return iter(())

    def finish(self) -> None:
        self.notes.add(self._code)


def tokenizer_of(root: Path) -> Tokenizer | None:
    """The tokenizer that train_text would take, if there is one: in the ``save_dir`` of configs/thinker_tiny.json."""
    config: dict[str, Any] = {}
    try:
        with open(root / "configs" / "thinker_tiny.json", "rb") as file:
            read = json.loads(file.read(_CONFIG_LIMIT))
        config = read if isinstance(read, dict) else {}
    except (OSError, ValueError):
        pass  # the trainer's own defaults then hold
    folder, ctx_len = config.get("save_dir"), config.get("ctx_len")
    path = root / (folder if isinstance(folder, str) else "checkpoints/thinker_tiny") / "tokenizer.model"
    if not path.is_file():
        return None
    return Tokenizer(str(path), ctx_len if isinstance(ctx_len, int) and ctx_len > 1 else 512)
