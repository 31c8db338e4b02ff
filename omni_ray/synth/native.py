"""Small synthetic corpora in native layouts, so that the readers of the real ones can be tried without them.

Each holds a few broken records, under 5 %, so that the quarantine can be seen at work, and states what should become of
every record.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path

from omni_ray.errors import OmniError, written_in
from omni_ray.ours import Identity, identity_of
from omni_ray.storage import TEMPORARY, write_atomic
from omni_ray.synth import native_images, native_ocr, native_speech, native_text
from omni_ray.synth.clips import Engine, engine
from omni_ray.synth.native_task import CorpusToWrite, ExpectedCounts

_MARK = ".synthetic.json"

Run = Callable[
    [Callable[[CorpusToWrite], list[ExpectedCounts]], Iterable[CorpusToWrite]], Iterable[list[ExpectedCounts]]
]
Writer = Callable[[CorpusToWrite, Path], list[ExpectedCounts]]

_WRITERS: dict[str, Writer] = {
    "common_voice": native_speech.common_voice,
    "librispeech": native_speech.librispeech,
    "ljspeech": native_speech.ljspeech,
    "coco": native_images.coco,
    "textocr": native_ocr.textocr,
    "mjsynth": native_ocr.mjsynth,
    "synthtext": native_ocr.synthtext,
    "wikipedia": native_text.wikipedia,
    "books": native_text.books,
    "text_parquet": native_text.parquet,
    "text_jsonl": native_text.jsonl,
}
"""The slow ones come first, so that two processes end at about the same time."""


def write_corpus(task: CorpusToWrite) -> list[ExpectedCounts]:
    """Write one corpus, whole or not at all; nothing where the same one is there.

    Raises:
        OmniError: the folder holds something else, or cannot be written.
    """
    folder = Path(task.root, task.name)
    mark = folder / _MARK
    with written_in(folder):
        if folder.is_symlink():
            raise OmniError(f"{folder}: is a link, and nothing is written through links; choose another folder")
        if mark.is_file():
            written = json.loads(mark.read_bytes())
            if written["task"] == task.stamp():
                return [ExpectedCounts(**expected) for expected in written["expected"]]
            _refuse_strangers(folder, written.get("files", {}))
        elif folder.exists():
            raise OmniError(f"{folder}: contains files that are not synthetic; choose another folder")
        making = folder.with_name(f"{TEMPORARY}{blake2b(task.name.encode(), digest_size=6).hexdigest()}-{task.name}")
        shutil.rmtree(making, ignore_errors=True)
        if folder.exists():
            # Moved away whole before it is removed: nobody could say whose half a folder is.
            folder.rename(making)
            shutil.rmtree(making)
        making.mkdir(parents=True)
        expected = _WRITERS[task.name](task, making)
        record = {"task": task.stamp(), "expected": [asdict(each) for each in expected], "files": _files(making)}
        write_atomic(making / _MARK, json.dumps(record, indent=1).encode())
        making.rename(folder)
    return expected


def _files(folder: Path) -> dict[str, Identity | None]:
    """What is in a folder, by relative path; None for what is no regular file."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_symlink() or not path.is_dir())
    return {path.relative_to(folder).as_posix(): identity_of(path) for path in paths}


def _refuse_strangers(folder: Path, written: Mapping[str, Sequence[object]]) -> None:
    """Raise OmniError where ``folder`` holds what is not as it was written."""
    for name, identity in _files(folder).items():
        if name != _MARK and (identity is None or list(identity) != list(written.get(name, ()))):
            raise OmniError(
                f"{folder / name} is not of the synthetic corpus, or was changed since, and another one is to take its "
                "place: move it away, or choose another folder"
            )


def write_native(
    root: str | Path, seed: int = 42, scale: float = 1.0, run: Run = map, *, speech: Engine | None = None
) -> dict[str, ExpectedCounts]:
    """Write all corpora under ``root``, each in a folder of its name. The same arguments give the same bytes.

    At scale 1 there are some thousand lines of text, and more than three hundred each of clips, captions and words.

    Args:
        root: an empty folder, or one that this function wrote.
        scale: multiplies the number of records; there are never so few that a corpus lacks one of its oddities.
        run: maps :func:`write_corpus` over tasks; :func:`map` in this process, or a runner of Ray tasks.
        speech: "espeak-ng" or "tones"; None for espeak-ng where it is installed.

    Returns:
        What to expect of each, by folder name.

    Raises:
        OmniError: a folder holds something else, or cannot be written.
    """
    if scale <= 0:
        raise OmniError(f"the scale must be above 0, not {scale}")
    speaker = speech or engine()
    tasks = [CorpusToWrite(name, str(Path(root).absolute()), seed, scale, speaker) for name in _WRITERS]
    return {task.name: each for task, found in zip(tasks, run(write_corpus, tasks), strict=True) for each in found}
