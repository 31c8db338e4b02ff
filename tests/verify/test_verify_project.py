"""The whole of it: counts against shards, samples of media, Ray, the command."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import sentencepiece
from sample_project import CAPTIONS, LINES, Project, make_project, picture, rows_as_csv
from typer.testing import CliRunner

from omni_ray.cli.commands import app
from omni_ray.errors import OmniError
from omni_ray.pipeline.corpus_state import CorpusState
from omni_ray.pipeline.engine import on_ray
from omni_ray.pipeline.manifest import CommittedFile, Manifest
from omni_ray.pipeline.session import ray_session
from omni_ray.pipeline.store import Store
from omni_ray.progress.reporter import Reporter
from omni_ray.trainers.files import FILES
from omni_ray.verify import clips as clips_module
from omni_ray.verify.checks import CHECKS, KINDS, SEVERITIES, checks_of
from omni_ray.verify.on_ray import when_many
from omni_ray.verify.report import VerifyReport
from omni_ray.verify.run import verify

PER_CORPUS = {
    "text": ("wikipedia", "data/text/wikipedia.txt", Project.TEXT),
    "audio": ("ls", "data/audio/ls_asr.csv", Project.ASR),
    "images": ("coco", "data/images/coco_annotations.json", Project.IMAGES),
    "ocr": ("mj", "data/ocr/mj_ocr.csv", Project.OCR),
}


def commit(project: Project, modality: str, *units: int, limit: int | None = None, edge: int = 48) -> Path:
    """Shards that promise so many samples a unit; returns their folder."""
    name = PER_CORPUS[modality][0]
    corpus = Store(project.root).corpus(modality, name)
    for unit, samples in enumerate(units):
        data = f"shard {unit} of {name}".encode() * 100
        file = f"part-{unit:05d}.parquet"
        corpus.storage.write(file, data)
        shard = CommittedFile(file, samples, len(data), hashlib.sha256(data).hexdigest())
        records = {"in": samples, "kept": samples, "quarantined": 0}
        corpus.storage.write(file[:-8] + ".json", Manifest(unit, "f", shard, None, samples, records, {}).as_json())
    corpus.save_state(
        CorpusState(
            name, name, modality, "s", {"size": edge}, limit, len(units), len(units), 0, None, "CC0", "example.org"
        )
    )  # fmt: skip
    return project.root / "data/shards" / modality / name


def accounts_of(folder: Path) -> Path:
    return folder.parents[1] / "accounts" / folder.parent.name / folder.name


def found(report: VerifyReport) -> set[tuple[str, str]]:
    return {(finding.file, finding.code) for finding in report.findings}


@pytest.mark.parametrize("modality", PER_CORPUS)
def test_counts_are_held_against_the_shards(project: Project, modality: str) -> None:
    _, own, production = PER_CORPUS[modality]
    commit(project, modality, 3, 2)
    project.put(own, project.get(production))
    report = verify(project.root)
    assert found(report) == set()
    assert {f.file: f.expected for f in report.files if f.file in (own, production)} == {own: 5, production: 5}

    folder = commit(project, modality, 3, 4, limit=6)
    assert {(own, "count_mismatch"), (production, "count_mismatch")} <= found(verify(project.root))
    (accounts_of(folder) / "part-00001.json").unlink()
    assert found(verify(project.root)) == {(f"data/shards/{modality}/{folder.name}", "missing_unit")}


def test_the_limit_cuts_what_is_expected(project: Project) -> None:
    commit(project, "text", 3, 3, 3, limit=5)
    assert verify(project.root).findings == []


def test_a_line_lost_on_the_way_is_found(project: Project) -> None:
    commit(project, "text", 5)
    project.lines.pop()
    project.write()
    (finding,) = verify(project.root).findings
    assert (finding.code, finding.examples[0].detail) == ("count_mismatch", "4 samples here, 5 in the shards")


def test_shards_must_be_what_was_committed(project: Project) -> None:
    folder = commit(project, "text", 3, 2)
    shard = folder / "part-00001.parquet"
    whole = shard.read_bytes()
    shard.write_bytes(whole.replace(b"1", b"2"))
    assert found(verify(project.root)) == {("data/shards/text/wikipedia", "changed_shard")}
    shard.write_bytes(whole[:-1])
    assert found(verify(project.root)) == {("data/shards/text/wikipedia", "missing_shard")}
    shard.unlink()
    assert found(verify(project.root)) == {("data/shards/text/wikipedia", "missing_shard")}
    shard.write_bytes(whole)
    (accounts_of(folder) / "part-00000.json").write_bytes(b"{")
    assert found(verify(project.root)) == {("data/shards/text/wikipedia", "bad_manifest")}
    (accounts_of(folder) / "corpus.json").write_bytes(b"{}")
    assert found(verify(project.root)) == {("data/shards/text/wikipedia", "bad_manifest")}


def test_prepared_but_never_combined_is_found(project: Project) -> None:
    commit(project, "ocr", 5)
    (project.root / project.OCR).unlink()
    assert found(verify(project.root)) == {(project.OCR, "file_missing")}


def test_pictures_have_the_size_they_were_prepared_with(project: Project) -> None:
    commit(project, "images", 5)
    picture((47, 48)).save(project.root / "data/images/coco/train/0.jpg")
    (finding,) = verify(project.root).findings
    assert (finding.code, finding.count, finding.severity) == ("image_size", 2, "warning")


def test_a_corpus_name_with_a_comma_stops_the_tokenizer(project: Project) -> None:
    commit(project, "text", 5)
    for shards in ("data/shards/text", "data/shards/accounts/text"):
        (project.root / shards / "wikipedia").rename(project.root / shards / "a,b")
    project.put("data/text/a,b.txt", project.get(project.TEXT))
    assert found(verify(project.root)) == {("data/text/a,b.txt", "comma_in_path")}


def test_clips_of_hours_are_not_decoded(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips_module, "MAX_SECONDS", 1)
    report = verify(project.root, modalities=["audio"])
    assert found(report) == {(project.ASR, "clip_long")}
    assert report.ok


def test_tokens_beyond_the_context_are_counted(project: Project) -> None:
    folder = project.root / "checkpoints/mine"
    folder.mkdir(parents=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 10), model_prefix=str(folder / "tokenizer"), vocab_size=100,
        hard_vocab_limit=False, minloglevel=2,
    )  # fmt: skip
    project.put("configs/thinker_tiny.json", b'{"save_dir": "checkpoints/mine", "ctx_len": 81}')
    assert verify(project.root).findings == []
    project.lines[1] = "quick brown fox " * 20
    project.write()
    report = verify(project.root)
    (finding,) = report.findings
    assert (finding.code, finding.line, finding.severity) == ("cut_line", 2, "warning")
    encoder = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    assert report.files[0].facts["tokens_never_seen"] == len(encoder.encode(project.lines[1].strip())) - 80


@pytest.mark.parametrize("sample", [2, 0.4])
def test_a_sample_decodes_some_and_judges_all(project: Project, sample: float) -> None:
    project.clips = [[project.clips[i % 5][0], f"text {i:03d}"] for i in range(100)]
    project.clips[90][1] = ""
    project.write()
    whole = verify(project.root, modalities=["audio"])
    report = verify(project.root, modalities=["audio"], sample=sample)
    assert report == verify(project.root, modalities=["audio"], sample=sample)
    assert {f.kind: f.decoded for f in whole.files} == {"asr": 100, "tts": 0}
    assert next(f.decoded for f in report.files) in ((2, 3) if sample == 2 else (40,))
    assert "blank_text" in {f.code for f in report.findings}


@pytest.mark.slow
def test_the_same_on_ray(project: Project) -> None:
    commit(project, "text", 4)
    project.captions[0] = {"image": "coco/none.jpg", "caption": CAPTIONS[0]}
    project.captions[1] = {"image": "coco/none.jpg", "caption": " "}
    project.clips[0][1] = "caf\xe9\0"
    project.write()
    shutil.copyfile(project.root / project.OCR, project.root / "data/ocr/heldout_ocr.csv")
    project.edit(project.OCR, lambda d: d.replace(b"Street", b"Str\xffeet"))
    here = verify(project.root)
    assert {f.code for f in here.findings} == {
        "count_mismatch", "image_missing", "blank_text", "nul", "invalid_utf8", "both_sides"
    }  # fmt: skip
    told = io.StringIO()
    with ray_session(num_cpus=2):
        there = verify(project.root, run=when_many(on_ray, small=0), reporter=Reporter(stream=told))
    assert there == here
    for file in (Project.TEXT, Project.ASR, Project.OCR):
        assert f"{file} (verify): 100/100, " in told.getvalue()


def test_an_image_is_decoded_once_and_all_its_captions_count(project: Project) -> None:
    (project.root / "data/images/coco/train/1.png").write_bytes(b"no picture")
    project.captions = [
        {"image": f"coco/train/{i % 3}.{'png' if i % 3 == 1 else 'jpg'}", "caption": "x" if i % 2 else ""}
        for i in range(900)
    ]
    project.write()
    report = verify(project.root, modalities=["images"])
    (file,) = report.files
    assert (file.rows, file.decoded) == (900, 2)
    assert {f.code: f.count for f in report.findings} == {"image_undecodable": 300, "blank_text": 450}
    assert file.lost == 600  # every second one, and of the others every third one's picture


def test_synthetic_files_are_verified_by_their_names(tmp_path: Path) -> None:
    project = make_project(tmp_path / "p")
    names = {
        Project.TEXT: "data/text/tiny_corpus.txt", Project.ASR: "data/audio/asr.csv", Project.TTS: "data/audio/tts.csv",
        Project.IMAGES: "data/images/annotations.json", Project.OCR: "data/ocr/ocr_train.csv",
    }  # fmt: skip
    for production, synthetic in names.items():
        (project.root / production).rename(project.root / synthetic)
    report = verify(project.root, data="synthetic")
    assert report.findings == []
    assert [f.file for f in report.files] == list(names.values())
    with pytest.raises(OmniError, match="no production file"):
        verify(project.root)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"modalities": ["video"]}, "video is not a modality"),
        ({"data": "other"}, "production or synthetic"),
        ({"sample": 0}, "--sample 0"),
        ({"sample": 1.5}, "--sample 1.5"),
    ],
)
def test_wrong_arguments_are_said(project: Project, arguments: dict[str, object], said: str) -> None:
    with pytest.raises(OmniError, match=re.escape(said)):
        verify(project.root, **arguments)  # type: ignore[arg-type]


def test_the_command_says_what_it_found(project: Project) -> None:
    runner = CliRunner()
    clean = runner.invoke(app, ["verify", "--root", str(project.root), "-q"])
    assert clean.exit_code == 0
    assert "ok: the trainers lose nothing" in clean.stdout
    project.edit(project.ASR, lambda d: b"\xef\xbb\xbf" + d)
    flawed = runner.invoke(app, ["verify", "audio", "--root", str(project.root), "-q"])
    assert flawed.exit_code == 1
    assert "byte order mark (bom: 1)" in flawed.stdout
    assert "train_audio_enc, sft_omni: the first column loses its name" in flawed.stdout
    as_json = json.loads(runner.invoke(app, ["verify", "--root", str(project.root), "--json"]).stdout)
    assert (as_json["ok"], as_json["exit_code"]) == (False, 1)
    assert as_json["findings"][0]["code"] == "bom"
    nothing = runner.invoke(app, ["verify", "--root", str(project.root / "configs")])
    assert isinstance(nothing.exception, OmniError)
    assert nothing.exception.exit_code == 2


CSV_CODES = """absolute_path backslash_path blank_path blank_row bom control count_mismatch csv_error duplicate_media empty
    extra_field file_missing header header_form invalid_utf8 line_ends line_separator missing_field newline nul outside_path
    padded_path quoting"""


@pytest.mark.parametrize("kind", [*(file.kind for file in FILES.values() if file.form == "csv"), "new", "new twin"])
def test_whatever_a_csv_file_can_have_costs_something_that_is_said(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FILES, "new", replace(FILES["ocr"], kind="new"))
    monkeypatch.setitem(FILES, "new twin", replace(FILES["tts"], kind="new twin", twin="new"))
    more = {"differs"} if FILES[kind].twin else {"blank_text", "both_sides", "group_both_sides"}
    assert {*CSV_CODES.split(), *more} <= checks_of(kind).keys()


def test_the_list_of_checks_is_closed_and_whole() -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["verify", "--list"]).stdout
    for kind, code in CHECKS:
        assert re.search(rf"^{kind} +{code} ", listed, re.MULTILINE)
    for check in json.loads(runner.invoke(app, ["verify", "--list", "--json"]).stdout):
        assert check["kind"] in KINDS
        assert check["severity"] in SEVERITIES
        assert check["trainers"] or check["kind"] == "shards"
        assert check["meaning"]
        assert check["consequence"]


def test_a_row_beyond_a_gap_keeps_its_line(project: Project) -> None:
    words = rows_as_csv([["image", "text"], ["mj/0.jpg", "a"]]) + b"\n\n" + b"mj/1.jpg,\n"
    project.put(project.OCR, words)
    blank = next(f for f in verify(project.root).findings if f.code == "blank_text")
    assert (blank.line, blank.row) == (5, 1)
