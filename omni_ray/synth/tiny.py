"""The tiny training files: synthetic text, speech, pictures and words, where the trainers look for them.

Sample ``i`` depends on the seed and on ``i`` only. The work is cut into chunks, which :func:`write_chunk` makes
independently of each other: in any order, on any number of machines that share the folder, once or several times.
A finished chunk leaves a list of its rows under ``data/.synthetic/``, by which a later run knows what is done; at the
end the lists become the training files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from omni_ray.errors import OmniError, written_in
from omni_ray.ours import (
    Ledger,
    digest_of,
    identity_of,
    is_remnant_of,
    own_writer,
    refuse_links,
    refuse_strangers,
)
from omni_ray.results import Report
from omni_ray.storage import remove_temporaries, write_atomic
from omni_ray.synth.clips import Engine, engine
from omni_ray.synth.samples import make_sample
from omni_ray.trainers.files import FILES, FlatFile, all_modalities, files_of
from omni_ray.visible import visible

KINDS = all_modalities()
DEFAULT_SAMPLES = {"text": 7_000, "audio": 300, "images": 4_400, "ocr": 2_000}
"""These come to about 2 MB of text, 15 of clips and 20 of pictures, as specified, and 10 of words."""
DEFAULT_SEED = 42
_CHUNK = {"text": 2000, "audio": 100, "images": 500, "ocr": 250}
"""Samples a chunk holds: one or two seconds of work."""
_LISTS = "data/.synthetic"
_VERSION = 2
"""Raised when the same seed gives other samples than before."""

Row = dict[str, Any]
Run = Callable[[Callable[["Chunk"], int], Iterable["Chunk"]], Iterable[int]]
"""Maps a function over chunks in any way: :func:`map` does it in this process."""


@dataclass(frozen=True)
class Chunk:
    """Samples ``start`` to ``stop - 1`` of a kind; ``speech`` is the same in every chunk, wherever it is made."""

    kind: str
    root: str
    seed: int
    start: int
    stop: int
    speech: Engine

    def stamp(self) -> Row:
        """What the rows depend on."""
        stamp = {**asdict(self), "version": _VERSION}
        del stamp["root"]
        if self.kind != "audio":
            del stamp["speech"]
        return stamp

    @property
    def list_path(self) -> Path:
        """Where the rows are listed when the chunk is done."""
        return Path(self.root, _LISTS, self.kind, f"{self.start:08d}.jsonl")

    def ledger(self) -> Ledger:
        """Which media at the chunk's places are ours."""
        return Ledger.load(self.list_path.with_suffix(".files.json"), Path(self.root))


@dataclass(frozen=True)
class TinyFile:
    """A training file: its path relative to the project folder, and how many samples it holds."""

    path: str
    samples: int


@dataclass
class TinyReport(Report):
    """What :func:`synthesize_tiny` wrote.

    Attributes:
        speech: "espeak-ng", or "tones" where there is no espeak-ng.
        chunks_made: chunks made in this run; the others were there already.
    """

    files: list[TinyFile] = field(default_factory=list)
    speech: Engine = "espeak-ng"
    chunks_made: int = 0
    warnings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The files, and the warnings."""
        found = [f"{file.path}: {file.samples:,} samples" for file in self.files]
        return [visible(line) for line in (*found, *(f"note: {warning}" for warning in self.warnings))]


def _row(chunk: Chunk, i: int) -> Row:
    """Sample ``i``: its text, and except for text its medium, and where that goes."""
    made = make_sample(chunk.kind, chunk.seed, i, chunk.speech)
    if not made.ending:
        return {"text": made.text}
    return {"path": f"data/{chunk.kind}/synthetic/{i:06d}.{made.ending}", "data": made.data, "text": made.text}


def _listed(path: Path) -> tuple[Row, Iterator[Row]]:
    """The stamp and the rows of a finished chunk."""
    lines = iter(path.read_text(encoding="utf-8").splitlines())
    return json.loads(next(lines)), map(json.loads, lines)


def _is_done(chunk: Chunk) -> bool:
    """Whether the chunk was made with the same stamp, and its media files are still there."""
    try:
        stamp, rows = _listed(chunk.list_path)
        if stamp != chunk.stamp():
            return False
        return all(Path(chunk.root, row["path"]).stat().st_size == row["bytes"] for row in rows if "path" in row)
    except (OSError, ValueError, StopIteration):
        return False


def write_chunk(chunk: Chunk) -> int:
    """Make a chunk's samples, write its media files, and list its rows; nothing where that is done already.

    Returns:
        The number of samples made; 0 where they were there.

    Raises:
        OmniError: espeak-ng was to speak and is not installed here; a file cannot be written, or is not ours.
    """
    if _is_done(chunk):
        return 0
    rows = [_row(chunk, i) for i in range(chunk.start, chunk.stop)]
    with written_in(chunk.root):
        if chunk.kind != "text":
            _write_media(chunk, {row["path"]: row["data"] for row in rows})
        lines = [json.dumps(each, ensure_ascii=False) for each in (chunk.stamp(), *map(_listing, rows))]
        write_atomic(chunk.list_path, ("\n".join(lines) + "\n").encode())
    return chunk.stop - chunk.start


def _listing(row: Row) -> Row:
    """A row as the list has it: the size of its medium in place of the bytes."""
    return {k if k != "data" else "bytes": v if k != "data" else len(v) for k, v in row.items()}


def _write_media(chunk: Chunk, media: dict[str, bytes]) -> None:
    """Write files by path relative to the root; what they will be is noted first, so that after a kill they are ours.

    Raises OmniError where another's file is in the way.
    """
    ledger = chunk.ledger()
    todo = {}
    for name, data in media.items():
        path, wanted = ledger.root / name, (len(data), digest_of(data))
        now = identity_of(path)
        if now == wanted and wanted not in ledger.known.get(name, ()):
            continue  # exactly these bytes, from somebody else: used, but not ours
        if os.path.lexists(path) and now != wanted and not ledger.is_ours(name) and not is_remnant_of(path, data):
            raise OmniError(
                f"{path} is not as omni-ray wrote it, or not omni-ray's at all, and a synthetic sample needs its place: "
                "move it away, or choose another --root"
            )
        ledger.known[name] = [each for each in ledger.known.get(name, ()) if each != wanted] + [wanted]
        todo[name] = data
    ledger.save()
    # While the media files change, no list may vouch for them.
    chunk.list_path.unlink(missing_ok=True)
    for name, data in todo.items():
        write_atomic(ledger.root / name, data, sync=False)  # the list is synced, and all before it
        ledger.wrote(name)
    os.sync()
    ledger.save()


def chunks(root: str | Path, samples: int | None, seed: int, kinds: Sequence[str], speech: Engine) -> list[Chunk]:
    """The chunks that make up ``samples`` of each kind, None for :data:`DEFAULT_SAMPLES`; the slow ones first."""
    slow_first = sorted(kinds, key=("audio", "ocr", "images", "text").index)
    return [
        Chunk(kind, str(Path(root).absolute()), seed, start, min(start + _CHUNK[kind], count), speech)
        for kind in slow_first
        for count in (samples or DEFAULT_SAMPLES[kind],)
        for start in range(0, count, _CHUNK[kind])
    ]


def _assemble(ledger: Ledger, flat: FlatFile, parts: Iterable[Chunk]) -> TinyFile:
    """The lists of one kind, in order, as a training file."""
    count = 0
    with own_writer(ledger, flat.synthetic_path) as file:
        file.write(flat.head)
        for part in parts:
            for row in _listed(part.list_path)[1]:
                if count:
                    file.write(flat.separator)
                media = row.get("path", "").removeprefix(f"{flat.media_root}/")
                file.write(flat.record(media, row["text"], "synthetic"))
                count += 1
        file.write(flat.tail)
    return TinyFile(flat.synthetic_path, count)


def _look_at_places(ledger: Ledger, kinds: Sequence[str]) -> None:
    """Raise OmniError where another's file, or a link, is in the way, before anything is made."""
    names = [flat.synthetic_path for kind in kinds for flat in files_of(kind)]
    refuse_strangers(ledger, names)
    for name in names:
        refuse_links(ledger.root, (ledger.root / name).parent / "synthetic")


def _remove_leftovers(root: Path, todo: Iterable[Chunk]) -> None:
    """What killed writers left half, wherever a run writes."""
    flat = [root / each.folder for each in FILES.values()]
    media = [folder / "synthetic" for folder in flat]
    for folder in {root / _LISTS, *flat, *media, *(chunk.list_path.parent for chunk in todo)}:
        remove_temporaries(folder)


def synthesize_tiny(
    root: str | Path,
    samples: int | None = None,
    seed: int = DEFAULT_SEED,
    run: Run = map,
    *,
    kinds: Sequence[str] = KINDS,
    speech: Engine | None = None,
) -> TinyReport:
    """Write the tiny training files and their media under ``root``/data.

    The same seed gives the same bytes, however the chunks are run; a run that was cut short continues where it
    stopped. Media files of an earlier, larger run are left alone.

    Args:
        samples: how many of each kind; None for :data:`DEFAULT_SAMPLES`.
        run: maps :func:`write_chunk` over chunks; :func:`map` in this process, or a runner of Ray tasks.
        speech: "espeak-ng" or "tones"; None for espeak-ng where it is installed.

    Raises:
        OmniError: a wrong number or kind, a file that cannot be written, or that is not ours, or no espeak-ng where it
            was asked for.
    """
    if samples is not None and samples < 1:
        raise OmniError(f"--samples must be at least 1, not {samples}")
    if wrong := [kind for kind in kinds if kind not in KINDS]:
        raise OmniError(f"there is no synthetic {wrong[0]}; choose from: {', '.join(KINDS)}")
    report = TinyReport(speech=speech or engine())
    if "audio" in kinds and report.speech == "tones":
        report.warnings.append(
            "espeak-ng is not installed, so the clips are chords, one for each letter, and not speech; "
            "for speech, pip install 'omni-ray[speech]' and run this again"
        )
    ledger = Ledger.load(Path(root, _LISTS, "files.json"), Path(root))
    _look_at_places(ledger, kinds)
    todo = chunks(root, samples, seed, kinds, report.speech)
    _remove_leftovers(Path(root), todo)
    report.chunks_made = sum(made > 0 for made in run(write_chunk, todo))
    with written_in(root):
        for kind in (kind for kind in KINDS if kind in kinds):
            parts = [chunk for chunk in todo if chunk.kind == kind]
            report.files += [_assemble(ledger, flat, parts) for flat in files_of(kind)]
    return report
