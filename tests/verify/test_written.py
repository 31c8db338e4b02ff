"""What combine wrote, and what somebody changed since: as good a sample as any, and not the one that was prepared."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from PIL import Image

from omni_ray.materialize.combine import TrainingFileOptions, combine
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.verify.run import verify
from tests.made_store import commit, make_store, text_row

FILES = {
    "text": "production_corpus.txt",
    "audio": "production_asr.csv",
    "images": "production_annotations.json",
    "ocr": "production_ocr.csv",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_store(tmp_path)
    for modality in FILES:
        combine(Store(tmp_path), modality, TrainingFileOptions(holdout=0.3), run=inline)
    return tmp_path


def found(root: Path, **how: int) -> set[tuple[str, str]]:
    """Files and codes, but for warnings."""
    report = verify(root, **how)
    return {(each.file, each.code) for each in report.findings if each.severity != "warning"}


def last_letter(data: bytes) -> bytes:
    end = max(place for place, byte in enumerate(data) if chr(byte).isalpha())
    return data[:end] + bytes([data[end] ^ 1]) + data[end + 1 :]


def one_for_another(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join([*lines[:-1], lines[-2]])


@pytest.mark.parametrize("change", [last_letter, one_for_another])
@pytest.mark.parametrize("name", ["production_corpus.txt", "text_corpus.txt", "heldout_corpus.txt"])
def test_a_file_of_text(root: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    path = root / "data/text" / name
    path.write_bytes(change(path.read_bytes()))
    assert (f"data/text/{name}", "changed_file") in found(root)


@pytest.mark.parametrize("modality", ["audio", "images", "ocr"])
def test_rows_that_are_sound(root: Path, modality: str) -> None:
    name = f"data/{modality}/{FILES[modality]}"
    (root / name).write_bytes(last_letter((root / name).read_bytes()))
    assert (name, "changed_file") in found(root)


def encoded_again(data: bytes) -> bytes:
    out = io.BytesIO()
    if data.startswith(b"fLaC"):
        samples, rate = soundfile.read(io.BytesIO(data))
        soundfile.write(out, samples / 2, rate, format="FLAC")
    else:
        with Image.open(io.BytesIO(data)) as picture:
            picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(out, picture.format)
    return out.getvalue()


@pytest.mark.parametrize("modality", ["audio", "images", "ocr"])
def test_media_that_are_sound(root: Path, modality: str) -> None:
    assert found(root) == set()
    media = sorted(path for path in (root / f"data/{modality}/{modality}_corpus").rglob("*") if path.is_file())
    media[0].write_bytes(encoded_again(media[0].read_bytes()))
    assert found(root) == {(f"data/shards/{modality}/{modality}_corpus", "changed_media")}
    assert found(root, sample=3) == set()  # a quick look hashes nothing

    combine(Store(root), modality, TrainingFileOptions(holdout=0.3, replace=True), run=inline)
    assert found(root) == set()
    one, other = media[1:3]
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)
    assert (f"data/shards/{modality}/{modality}_corpus", "changed_media") in found(root)


def test_a_project_that_lost_its_notes_is_judged_by_what_it_holds(root: Path) -> None:
    path = root / "data/text/production_corpus.txt"
    path.write_bytes(last_letter(path.read_bytes()))
    (root / "data/.omni/combine/text-files.json").unlink()
    assert found(root) == set()


@pytest.mark.parametrize("name", ["text/heldout_corpus.txt", "ocr/heldout_ocr.csv", "images/heldout_annotations.json"])
def test_what_is_held_out_and_gone(root: Path, name: str) -> None:
    (root / "data" / name).unlink()
    assert found(root) == {(f"data/{name}", "held_out_missing")}
    combine(Store(root), name.partition("/")[0], TrainingFileOptions(holdout=0.3), run=inline)
    assert found(root) == set()


@pytest.mark.parametrize("name", ["text/text_corpus.txt", "audio/audio_corpus_asr.csv"])
def test_a_file_of_one_corpus_that_is_gone(root: Path, name: str) -> None:
    modality = name.partition("/")[0]
    (root / "data" / name).unlink()
    assert found(root) == {(f"data/{name}", "corpus_file_missing")}
    combine(Store(root), modality, TrainingFileOptions(holdout=0.3), run=inline)
    assert found(root) == set()


def test_other_shards_of_as_many_samples(root: Path) -> None:
    shards = [
        [text_row(number, text=f"Line {number} of another.") for number in some] for some in (range(5), range(5, 10))
    ]
    commit(root, "text", "text_corpus", shards)
    assert found(root) == {("data/text/production_corpus.txt", "outdated")}
