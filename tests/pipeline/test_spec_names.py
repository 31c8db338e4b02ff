"""Names as the specification has them, and files of others that lie where it would take them."""

from __future__ import annotations

import csv
import json
import re
import shlex
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omni_ray import api
from omni_ray.cli import download_job
from omni_ray.cli.commands import app
from omni_ray.errors import OmniError
from omni_ray.materialize import media
from omni_ray.materialize.combine import TrainingFileOptions, combine
from omni_ray.materialize.formats import format_of
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.trainers.files import all_modalities
from tests.made_store import audio_row, clip, commit, make_store, picture


def texts(file: Path) -> list[str]:
    with open(file, newline="") as opened:
        return [row["text"] for row in csv.DictReader(opened)]


def test_common_voice_is_called_as_specified_in_old_projects_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(tmp_path, "audio", "common_voice", [[audio_row(n) for n in range(4)]])
    with monkeypatch.context() as earlier:
        for module in ("materialize.formats", "trainers.files"):
            earlier.setattr(f"omni_ray.{module}.flat_name", lambda corpus: corpus)
        earlier.setattr("omni_ray.materialize.combine.FORMAT_VERSION", 1)
        combine(Store(tmp_path), "audio", TrainingFileOptions(), run=inline)
    assert (tmp_path / "data/audio/common_voice_asr.csv").exists()
    [marker] = (tmp_path / "data/.omni/media").rglob("*.json")
    old = media.Marker.load(marker)
    assert old is not None
    sizes = {name: size for name, (size, _) in old.files.items()}
    marker.write_text(json.dumps({"shard": old.shard, "taken": old.taken, "sizes": sizes}))
    (tmp_path / "data/.omni/combine/audio-files.json").unlink()
    combine(Store(tmp_path), "audio", TrainingFileOptions(), run=inline)
    left = sorted(
        str(p.relative_to(tmp_path / "data/audio")) for p in (tmp_path / "data/audio").rglob("*") if p.is_file()
    )
    clips = [f"commonvoice/train/19/{n}.flac" for n in range(4)]
    assert left == [*clips, "commonvoice_asr.csv", "production_asr.csv", "production_tts.csv"]


def test_files_of_a_corpus_that_is_gone_go_and_nobody_elses(tmp_path: Path) -> None:
    make_store(tmp_path)
    commit(tmp_path, "audio", "gone", [[audio_row(9)]])
    combine(Store(tmp_path), "audio", TrainingFileOptions(), run=inline)
    (tmp_path / "data/audio/mine_asr.csv").write_text("mine")
    Store(tmp_path).corpus("audio", "gone").reset()
    *_, last = combine(Store(tmp_path), "audio", TrainingFileOptions(), run=inline)
    assert not (tmp_path / "data/audio/gone_asr.csv").exists() and not list(
        (tmp_path / "data/audio/gone").rglob("*.flac")
    )
    assert (tmp_path / "data/audio/mine_asr.csv").read_text() == "mine"
    assert "data/audio/mine_asr.csv is not omni-ray's" in last.note


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize("modality", all_modalities())
def test_what_lies_there_is_named_with_the_command_that_brings_it_in(
    tmp_path: Path, modality: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_store(tmp_path, rows=2)
    folder = tmp_path / "data" / modality
    (folder / "own").mkdir(parents=True)
    form = format_of(modality)
    lists = {
        "text": "A line that is mine alone.\n",
        "audio": "wav,text\ndata/audio/own/1.flac,mine alone\n",
        "images": json.dumps([{"image": "own/1.jpg", "caption": "mine alone"}]),
        "ocr": "image,text\nown/1.jpg,mine alone\n",
    }
    (folder / "own/1.flac").write_bytes(clip(3))
    (folder / "own/1.jpg").write_bytes(picture(3))
    mine = folder / str(form.files[0].per_corpus).format(corpus="my own")
    mine.write_text(lists[modality])
    *_, last = combine(Store(tmp_path), modality, TrainingFileOptions(), run=inline)
    assert combine(Store(tmp_path), modality, TrainingFileOptions(), run=inline)[-1].note == last.note
    found = re.search(r"`omni-ray (prepare .*)` brings it in", last.note)
    assert found and mine.name in last.note
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, [*shlex.split(found[1]), "--root", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "mine alone" in (folder / form.files[0].production).read_text()
    assert "is not omni-ray's" not in done.output
    assert mine.read_text() == lists[modality]


@pytest.mark.parametrize(
    "arguments, again",
    [(["--reset"], True), (["--reset", "--skip-download"], False), (["--reset", "--source", "x"], False), ([], False)],
)
def test_the_scripts_fetch_again_with_reset_and_prepare_does_not(
    arguments: list[str], again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []

    def prepare(*_: object, **options: object) -> None:
        asked.append(options)
        raise OmniError("asked")

    monkeypatch.setattr(api, "prepare", prepare)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["download_production_text.py", *arguments])
    with pytest.raises(SystemExit):
        download_job.main("text")
    CliRunner().invoke(app, ["prepare", "text", "--reset"])
    assert [each["redownload"] for each in asked] == [again, False]
    assert [each["reset"] for each in asked] == ["--reset" in arguments, True]
