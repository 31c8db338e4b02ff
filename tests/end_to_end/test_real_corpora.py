"""Every real corpus in its native layout, the whole way: what comes out is what was counted by hand in the files.

The numbers below were counted in the native files: lines of transcripts and lists, ``annotations`` of the JSON files,
``<page>`` elements and their namespaces, words and their illegible marks.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from PIL import Image

from omni_ray import api
from omni_ray.pipeline.corpus_state import Summary
from omni_ray.pipeline.session import ray_session
from omni_ray.trainers.files import all_modalities
from omni_ray.training.plan import plan
from omni_ray.verify.run import verify

pytestmark = pytest.mark.slow

BY_HAND = {
    # corpus: records in, kept, by reason
    "wikipedia": (17, 9, {"redirect": 3, "other_namespace": 4, "disambiguation": 1}),
    "books": (472, 472, {}),  # two books, and 240 and 230 lines of BookCorpus
    "librispeech": (5, 5, {}),
    "ljspeech": (2, 2, {}),
    "common_voice": (4, 4, {}),
    "coco": (41, 41, {}),
    "mjsynth": (16, 16, {}),
    "synthtext": (8, 8, {}),
    "textocr": (40, 32, {"illegible": 8}),
}


@pytest.fixture(scope="module")
def project(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, api.PrepareReport]]:
    root = tmp_path_factory.mktemp("real")
    with ray_session(num_cpus=2):
        yield root, api.prepare(root, all_modalities(), source=str(corpora), combine=True)


def summaries(report: api.PrepareReport) -> dict[str, Summary]:
    return {summary.name: summary for summary in report.summaries}


def test_every_record_became_what_was_counted_by_hand(project: tuple[Path, api.PrepareReport]) -> None:
    found = summaries(project[1])
    assert project[1].skipped == {} and project[1].exit_code == 0
    for name, (records, kept, reasons) in BY_HAND.items():
        summary = found[name]
        assert (summary.records_in, summary.kept, dict(summary.reasons)) == (records, kept, reasons), name
    for summary in found.values():
        assert summary.records_in == summary.kept + summary.quarantined + summary.beyond
    assert set(found) == set(BY_HAND)


def test_the_quarantine_lists_every_record_it_counts(project: tuple[Path, api.PrepareReport]) -> None:
    listed: dict[str, int] = {}
    for row in api.quarantine(project[0]):
        listed[row["corpus"]] = listed.get(row["corpus"], 0) + row["records"]
        assert row["reason"] and row["where"]
    assert listed == {name: s.quarantined for name, s in summaries(project[1]).items() if s.quarantined}


def test_the_training_files_hold_every_sample(project: tuple[Path, api.PrepareReport]) -> None:
    root, report = project
    samples = {m: sum(s.samples for s in report.summaries if s.modality == m) for m in all_modalities()}
    lines = (root / "data/text/production_corpus.txt").read_text("utf-8").split("\n")
    assert lines.pop() == "" and len(lines) == samples["text"]
    with open(root / "data/audio/production_asr.csv", encoding="utf-8", newline="") as file:
        asr = list(csv.DictReader(file))
    with open(root / "data/audio/production_tts.csv", encoding="utf-8", newline="") as file:
        tts = list(csv.DictReader(file))
    assert len(asr) == samples["audio"] == 11
    assert [(row["wav"], row["text"]) for row in asr] == [(row["wav"], row["text"]) for row in tts]
    for row in asr:
        info = soundfile.info(root / row["wav"])
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16") and info.frames >= 513
    entries = json.loads((root / "data/images/production_annotations.json").read_text("utf-8"))
    assert len(entries) == samples["images"] == 41
    with open(root / "data/ocr/production_ocr.csv", encoding="utf-8", newline="") as file:
        words = list(csv.DictReader(file))
    assert len(words) == samples["ocr"] == 56
    pictures = [f"images/{entry['image']}" for entry in entries] + [f"ocr/{row['image']}" for row in words]
    for name in set(pictures):
        with Image.open(root / "data" / name) as image:
            image.load()
            assert (image.mode, image.size) == ("RGB", (224, 224))


def test_transcripts_and_captions_are_the_corpus_own(project: tuple[Path, api.PrepareReport], corpora: Path) -> None:
    root = project[0]
    spoken = {}
    for list_file in (corpora / "librispeech").rglob("*.trans.txt"):
        spoken |= dict(line.split(" ", 1) for line in list_file.read_text("utf-8").splitlines())
    with open(root / "data/audio/librispeech_asr.csv", encoding="utf-8", newline="") as file:
        written = {Path(row["wav"]).stem: row["text"] for row in csv.DictReader(file)}
    assert written == spoken
    captions: list[str] = []
    for list_file in (corpora / "coco/annotations").glob("captions_*.json"):
        captions += [a["caption"] for a in json.loads(list_file.read_text("utf-8"))["annotations"]]
    entries = json.loads((root / "data/images/coco_annotations.json").read_text("utf-8"))
    assert sorted(e["caption"] for e in entries) == sorted(" ".join(c.split()) for c in captions)


def test_the_trainers_would_lose_nothing(project: tuple[Path, api.PrepareReport]) -> None:
    report = verify(project[0])
    assert report.ok, [finding.message for finding in report.findings]


def test_datasets_decodes_our_shards(project: tuple[Path, api.PrepareReport], tmp_path: Path) -> None:
    import datasets

    shards = project[0] / "data/shards"

    def load(place: str) -> datasets.Dataset:
        files = sorted(str(p) for p in (shards / place).glob("part-*.parquet"))
        return datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))

    pictures = load("images/coco")
    assert pictures[0]["image"].size == (224, 224) and len(pictures) == 8
    assert load("ocr/mjsynth")[0]["image"].mode == "RGB"
    clips = load("audio/librispeech")
    assert isinstance(clips.features["audio"], datasets.Audio) and clips.features["audio"].sampling_rate == 16_000
    raw = clips.cast_column("audio", datasets.Audio(decode=False))[0]
    samples, rate = soundfile.read(io.BytesIO(raw["audio"]["bytes"]))
    assert (rate, len(samples)) == (16_000, raw["num_samples"])


def outputs(root: Path) -> dict[str, str]:
    files = (p for p in (root / "data").rglob("*") if p.is_file() and ".omni" not in p.parts)
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_one_cpu_and_two_give_the_same_bytes(
    project: tuple[Path, api.PrepareReport], corpora: Path, tmp_path: Path
) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [
            *(sys.executable, "-m", "omni_ray", "prepare", *all_modalities(), "--combine", "--cpus", "1"),
            *("--source", str(corpora), "--root", str(tmp_path / "one")),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert outputs(tmp_path / "one") == outputs(project[0])


def test_the_plan_suits_the_trainers(project: tuple[Path, api.PrepareReport]) -> None:
    root = project[0]
    report = plan(root)
    assert (report.problems, len(report.plans)) == ([], 7)
    for each in report.plans:
        written = json.loads((root / each.file).read_text("utf-8"))
        rows, batch = each.value("rows"), written["batch_size"]
        held_out = sum(hash((row, written["seed"])) % 100 < written["val_split"] * 100 for row in range(rows))
        assert written["gradient_accumulation_steps"] == 1, each.name
        assert held_out >= batch or written["val_freq"] > written["max_steps"], each.name
        assert written["max_steps"] <= written["max_epochs"] * -(-(rows - held_out) // batch), each.name
        assert written["warmup_steps"] < written["max_steps"], each.name
        for key in ("train_text", "train_csv", "train_manifest", "tts_csv", "image_root"):
            assert (root / written.get(key, ".")).exists(), (each.name, key)
    configs = {each.name: json.loads((root / each.file).read_text("utf-8")) for each in report.plans}
    assert configs["ocr"]["checkpoint_freq"] > configs["ocr"]["max_steps"]
    assert configs["vision"]["use_thinker_for_text"] is False
    assert (
        len(
            {
                configs[n].get("vocab_size") or configs[n]["thinker"]["vocab_size"]
                for n in ("thinker", "vision", "omni_sft")
            }
        )
        == 1
    )
    # Half of these clips are spoken faster than 12.5 characters a second, and none faster than 25.
    assert configs["audio_enc"]["downsample_time"] == 4
    assert not any("too fast" in warning for warning in next(p for p in report.plans if p.name == "audio_enc").warnings)
