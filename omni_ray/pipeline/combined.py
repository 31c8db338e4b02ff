"""What the last run of combine wrote: it lets the next one do nothing, and tells which files are ours to remove."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omni_ray.digests import digest_of_json
from omni_ray.errors import OmniError
from omni_ray.pipeline.manifest import Manifest
from omni_ray.pipeline.share import as_json
from omni_ray.storage import write_atomic
from omni_ray.trainers.files import files_of, is_held_out, is_production


@dataclass(frozen=True)
class Combined:
    """One flat file as it was written.

    Attributes:
        path: relative to the root.
        records: lines, rows or objects in it.
        bytes: its size.
        samples: those of the shards that became these records; more than the records where lines were joined.
        note: a sentence that a user should read; usually empty.
    """

    path: str
    records: int
    bytes: int
    samples: int
    note: str = ""

    @property
    def is_production(self) -> bool:
        """Whether it is a file of all corpora, to train on."""
        return is_production(self.path)

    @property
    def is_held_out(self) -> bool:
        """Whether it holds what is not to be trained on."""
        return is_held_out(self.path)


@dataclass(frozen=True)
class Record:
    """What a run wrote for one modality.

    Attributes:
        fingerprint: digest of all that the files depend on.
        shards: digest of the shards they were made from.
        files: the files.
        times: when each was written, in ns.
        packing: tokenizer and ctx_len that lines were packed with, or corpora mixed; empty where they were not.
        holdout: the share held out, or None.
    """

    fingerprint: str
    shards: str
    files: tuple[Combined, ...]
    times: tuple[int, ...]
    packing: Mapping[str, Any]
    holdout: float | None

    def is_there(self, root: Path) -> bool:
        """Whether every file is as it was written."""
        return all(self.is_untouched(root, file) for file in self.files)

    def is_untouched(self, root: Path, file: Combined) -> bool:
        """Whether ``file``, one of the record's, is as it was written."""
        try:
            status = (root / file.path).stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (file.bytes, self.times[self.files.index(file)])


def digest_of(parts: Mapping[str, Sequence[tuple[Manifest, int]]]) -> str:
    """The digest of the shards of each corpus, and of how many samples of each are taken."""
    return digest_of_json({name: as_json(each) for name, each in parts.items()})


def load(state_folder: Path, modality: str, *, production: bool = True) -> Record | None:
    """The record of the last run that ended; None where there is no whole one.

    Runs that wrote the training files, and runs that wrote each corpus's own files alone, have records of their own.
    """
    try:
        value = json.loads(_path(state_folder, modality, production).read_bytes())
        files, times = [], []
        for each in value["files"]:
            times.append(int(each.pop("mtime_ns")))
            files.append(Combined(**each))
        return Record(
            value["fingerprint"], value["shards"], tuple(files), tuple(times), value["packing"], value["holdout"]
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def last_share(state_folder: Path, modality: str) -> float:
    """The share that the last run held out; 0 for nothing.

    Raises:
        OmniError: something is held out, and what the run noted is gone.
    """
    last = load(state_folder, modality)
    if last is not None:
        return last.holdout or 0.0
    root = state_folder.parent.parent
    held = next((file.held_out_path for file in files_of(modality) if (root / file.held_out_path).exists()), None)
    if held is not None:
        raise OmniError(
            f"{held} is there, and what `omni-ray combine` noted about it is gone: run the same `omni-ray combine "
            f"{modality} --replace` again, which keeps what is there beside it"
        )
    return 0.0


def save(
    state_folder: Path,
    modality: str,
    root: Path,
    digests: tuple[str, str],
    files: Sequence[Combined],
    packing: Mapping[str, Any],
    holdout: float | None,
    production: bool,
) -> None:
    """Note that ``files`` were written; ``digests`` are the record's fingerprint and that of the shards."""
    listed = [{**vars(file), "mtime_ns": (root / file.path).stat().st_mtime_ns} for file in files]
    fingerprint, shards = digests
    value = {
        "fingerprint": fingerprint,
        "shards": shards,
        "packing": packing,
        "holdout": holdout,
        "files": listed,
    }
    write_atomic(_path(state_folder, modality, production), json.dumps(value, indent=1).encode())


def measured_with(state_folder: Path, root: Path) -> str:
    """The digest of the tokenizer that the text to train on, as it is now, was packed or mixed with; "" where it was not."""
    record = load(state_folder, "text")
    if record is None or not all(record.is_untouched(root, file) for file in record.files if file.is_production):
        return ""
    return str(record.packing.get("tokenizer", ""))


def _path(state_folder: Path, modality: str, production: bool) -> Path:
    return state_folder / "combine" / f"{modality}{'' if production else '-corpora'}.json"
