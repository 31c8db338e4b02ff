"""Nothing is both trained on and held out, and verify would see it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from omni_ray.materialize.combine import Options, combine
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.verify import verify
from tests.made_store import make_store


def leaks(root: Path, modality: str) -> list[str]:
    found = [f for f in verify(root, modalities=[modality]).findings if f.code == "both_sides"]
    return [str(example) for finding in found for example in finding.examples]


@pytest.mark.parametrize("modality", ["audio", "images", "ocr"])
def test_media_on_both_sides(tmp_path: Path, modality: str) -> None:
    make_store(tmp_path, rows=12)
    combine(Store(tmp_path), modality, Options(holdout=0.4), run=inline)
    assert leaks(tmp_path, modality) == []
    folder = tmp_path / "data" / modality
    name = {"audio": "asr.csv", "images": "annotations.json", "ocr": "ocr.csv"}[modality]
    trained, held = folder / f"production_{name}", folder / f"heldout_{name}"
    media = sorted(p for p in (folder / f"{modality}_corpus").rglob("*") if p.is_file())

    def named(file: Path) -> Path:
        return next(p for p in media if p.relative_to(folder).as_posix() in file.read_text())

    shutil.copyfile(named(trained), named(held))
    assert any("has the bytes of" in each for each in leaks(tmp_path, modality))
    shutil.copyfile(trained, held)
    said = leaks(tmp_path, modality)
    assert any("is on both sides" in each for each in said)


def test_a_speaker_on_both_sides(tmp_path: Path) -> None:
    make_store(tmp_path, rows=12)
    combine(Store(tmp_path), "audio", Options(holdout=0.4), run=inline)
    trained, held = (tmp_path / f"data/audio/{side}_asr.csv" for side in ("production", "heldout"))
    head, *rows = trained.read_text().splitlines()
    held.write_text("\n".join([*held.read_text().splitlines(), rows[0]]) + "\n")
    trained.write_text("\n".join([head, *rows[1:]]) + "\n")
    assert any(each.startswith("speaker s") for each in leaks(tmp_path, "audio"))
