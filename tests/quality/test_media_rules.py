"""Every rule for clips, pictures and words removes what it is for, and leaves real ones alone."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from PIL import Image, ImageDraw

from omni_ray.quality import audio_rules
from omni_ray.quality.clean import clean_table, rules_of
from omni_ray.quality.reasons import QUALITY_REASONS
from omni_ray.quality.rules import Rule
from omni_ray.trainers.speech import ctc_frames, ctc_needed

RATE = 16_000
RANDOM = np.random.default_rng(3)


def speech(seconds: float = 3.0, noise: float = 1e-3, level: float = 0.3) -> np.ndarray:
    """Syllables: a tone on for 150 ms, off for 100 ms, over noise."""
    time = np.arange(int(seconds * RATE)) / RATE
    voice = np.sin(2 * np.pi * 180 * time) * ((time % 0.25) < 0.15) * level
    return (voice + RANDOM.normal(0, noise, len(time))).astype(np.float32)


def clips(waves: list[np.ndarray], texts: list[str]) -> pa.Table:
    rows = []
    for number, (wave, text) in enumerate(zip(waves, texts, strict=True)):
        data = audio_rules.encoded(wave, "flac")
        rows.append(
            {
                "id": f"c{number}", "corpus": "made", "audio": {"bytes": data, "path": f"c{number}.flac"}, "text": text,
                "speaker": "s", "num_samples": len(wave), "duration": len(wave) / RATE, "source_sampling_rate": RATE,
            }
        )  # fmt: skip
    return pa.Table.from_pylist(rows)


SAID = "the ship lay at anchor there"
QUIET = np.zeros(RATE * 4, np.float32)
BAD_CLIPS: dict[str, tuple[np.ndarray, str]] = {
    "too_long": (speech(41.0), SAID * 10),
    "clip_seconds": (speech(0.3), "a"),
    "transcript_length": (speech(), "so " * 400),
    "transcript_alphabet": (speech(), "<unk> {sil} ▁▁▁ ###"),
    "speaking_rate": (speech(8.0), "a"),
    "ctc_feasible": (speech(1.0), SAID),
    "level": (speech(level=1e-4, noise=1e-5), SAID),
    "clipping": (np.clip(speech(level=5.0), -1, 0.99999), SAID),
    "snr": (speech(noise=0.2), SAID),
    "end_silence": (np.concatenate([QUIET, speech()]), SAID * 3),
}


@pytest.mark.parametrize("rule", [r for r in rules_of("audio") if isinstance(r, Rule)], ids=lambda rule: rule.name)
def test_audio_rules(rule: Rule) -> None:
    wave, text = BAD_CLIPS[rule.name]
    table = clips([speech(), wave], [SAID, text])
    cleaned = clean_table(table, "audio", "off", {rule.name: True}, "part-00000")
    assert cleaned.kept["id"].to_pylist() == ["c0"]
    assert cleaned.removed.to_pylist()[0]["reason"] == rule.reason and rule.reason in QUALITY_REASONS
    assert cleaned.removed["where"].to_pylist() == ["part-00000"]


def test_measures_are_what_they_say() -> None:
    for wanted in (10.0, 20.0, 30.0):
        noise = 0.3 / np.sqrt(2) / 10 ** (wanted / 20)
        assert audio_rules.snr(audio_rules.frame_levels(speech(20, noise))) == pytest.approx(wanted, abs=1.5)
    padded = np.concatenate([np.zeros(RATE, np.float32), speech(2), np.zeros(2 * RATE, np.float32)])
    before, after = audio_rules.silent_ends(audio_rules.frame_levels(padded))
    assert before == pytest.approx(1.0, abs=0.03) and after == pytest.approx(2.1, abs=0.05)


def test_trimming_leaves_a_tenth_of_a_second() -> None:
    padded = np.concatenate([np.zeros(RATE, np.float32), speech(2), np.zeros(2 * RATE, np.float32)])
    cleaned = clean_table(clips([padded], [SAID]), "audio", "off", {"trim_silence": True})
    row = cleaned.kept.to_pylist()[0]
    samples, _ = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
    assert row["num_samples"] == len(samples) and row["duration"] == pytest.approx(2.1, abs=0.05)
    start = RATE - int(0.1 * RATE)
    assert np.abs(samples - padded[start : start + len(samples)]).max() < 1e-4
    assert cleaned.stats["mended.trim_silence"] == 1


@pytest.mark.parametrize("hiss", [1e-3, 1e-4])
def test_little_speech_in_a_long_silence_is_found(hiss: float) -> None:
    wave = RANDOM.normal(0, hiss, 60 * RATE).astype(np.float32)
    wave[20 * RATE : 22 * RATE] += speech(2)
    before, after = audio_rules.silent_ends(audio_rules.frame_levels(wave))
    assert before == pytest.approx(20, abs=0.03) and after == pytest.approx(38.1, abs=0.05)
    kept = clean_table(clips([wave], [SAID]), "audio", "off", {"trim_silence": True, "level": True}).kept
    assert kept["duration"].to_pylist() == [pytest.approx(2.1, abs=0.05)]


def test_a_click_is_not_taken_for_the_speech() -> None:
    wave = speech(4)
    wave[RATE] = 1.0
    assert audio_rules.silent_ends(audio_rules.frame_levels(wave))[0] == 0


def test_what_trimming_leaves_is_judged() -> None:
    quick = SAID[:24]
    padded = np.concatenate([np.zeros(2 * RATE, np.float32), speech(0.65)])
    on = {"ctc_feasible": True}
    assert clean_table(clips([padded], [quick]), "audio", "off", on).kept.num_rows == 1
    cleaned = clean_table(clips([padded], [quick]), "audio", "off", {**on, "trim_silence": True})
    assert cleaned.removed["reason"].to_pylist() == ["ctc_infeasible"]


@pytest.mark.parametrize("downsampling", [4, 8])
def test_clips_that_are_kept_can_be_learnt_at_the_encoders_rate(downsampling: int) -> None:
    texts = ["".join("abcdefghij"[n % 10] for n in range(length)) for length in range(1, 60)]
    table = clips([speech(1.0)] * len(texts), texts)
    limit = 8 // downsampling
    kept = clean_table(table, "audio", "off", {"ctc_feasible": limit}).kept.to_pylist()
    assert all(ctc_needed(row["text"]) <= ctc_frames(row["num_samples"], downsampling) for row in kept)
    assert len(kept) == limit * ctc_frames(RATE, 8)


def test_real_speech_passes_the_default(corpora: Path) -> None:
    waves, texts = [], []
    for listing in sorted((corpora / "librispeech").rglob("*.trans.txt")):
        for line in listing.read_text().splitlines():
            name, _, text = line.partition(" ")
            waves.append(soundfile.read(listing.parent / f"{name}.flac", dtype="float32")[0])
            texts.append(text)
    table = clips(waves, texts)
    default = clean_table(table, "audio", "default")
    strict = clean_table(table, "audio", "strict")
    assert default.kept.equals(table) and len(waves) == 5
    assert default.kept.num_rows >= strict.kept.num_rows
    assert strict.kept.num_rows + strict.removed.num_rows == len(waves)


def encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def picture(colour: int | None = None) -> Image.Image:
    noise = RANDOM.integers(0, 255, (56, 56, 3), dtype=np.uint8)
    return (
        Image.new("RGB", (224, 224), (colour,) * 3) if colour is not None else Image.fromarray(noise).resize((224, 224))
    )


def pictures(*rows: dict[str, Any]) -> pa.Table:
    usual = {"image": encoded(picture()), "captions": ["a dog on a beach"], "source_width": 640, "source_height": 480}
    made = []
    for number, row in enumerate(({}, *rows)):
        full = {**usual, **row}
        full["image"] = {"bytes": full["image"], "path": f"{number}.jpg"}
        made.append({"id": f"p{number}", "corpus": "made", "category": None, **full})
    schema = pa.schema(
        [
            ("id", pa.string()), ("corpus", pa.string()), ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("captions", pa.list_(pa.string())), ("category", pa.string()), ("source_width", pa.int32()), ("source_height", pa.int32()),
        ]
    )  # fmt: skip
    return pa.Table.from_pylist(made, schema=schema)


BAD_PICTURES: dict[str, dict[str, Any]] = {
    "source_edge": {"source_width": 60},
    "aspect": {"source_width": 2000},
    "brightness_spread": {"image": encoded(picture(250))},
    "entropy": {"image": encoded(picture(0))},
    "caption_words": {"captions": ["dog"]},
    "caption_boilerplate": {"captions": ["IMG_2034.jpg"]},
}


@pytest.mark.parametrize("name", BAD_PICTURES)
def test_image_rules(name: str) -> None:
    rule = next(r for r in rules_of("images") if r.name == name)
    assert isinstance(rule, Rule)
    cleaned = clean_table(pictures(BAD_PICTURES[name]), "images", "off", {name: True})
    assert cleaned.kept["id"].to_pylist() == ["p0"]
    assert cleaned.removed["reason"].to_pylist() == [rule.reason] and rule.reason in QUALITY_REASONS


def test_captions_go_one_by_one_and_all_count() -> None:
    table = pictures(
        {"captions": ["A dog runs.", "a dog runs", "x.png", "two dogs"]}, {"captions": ["untitled", "photo 12"]},
        {"image": encoded(picture(0)), "captions": ["all black", "a black picture", "nothing here"]},
    )  # fmt: skip
    cleaned = clean_table(table, "images", "default")
    assert cleaned.kept["id"].to_pylist() == ["p0", "p1"]
    assert cleaned.kept["captions"].to_pylist()[1] == ["A dog runs.", "two dogs"]
    assert cleaned.stats["samples_in"] == 10 and cleaned.stats["samples_kept"] == 3
    assert cleaned.stats["removed.blank"] == 3
    assert sum(cleaned.removed["samples"].to_pylist()) == 7
    assert cleaned.kept.schema == table.schema


@pytest.mark.parametrize(
    "caption",
    [
        "https://a.b/c",
        "DSC00012",
        "Untitled",
        "stock photo",
        "No description available.",
        "Tap to enlarge",
        "Click for more",
    ],
)
def test_boilerplate(caption: str) -> None:
    on = {"caption_boilerplate": True}
    assert clean_table(pictures({"captions": [caption]}), "images", "off", on).kept.num_rows == 1


@pytest.mark.parametrize(
    "caption",
    [
        "A photo of a logo on a wall",
        "image of two cats",
        "None of the men sit down",
        "Tap on a sink in a kitchen",
        "Tap for beer in a bar",
    ],
)
def test_no_boilerplate(caption: str) -> None:
    on = {"caption_boilerplate": True}
    assert clean_table(pictures({"captions": [caption]}), "images", "off", on).kept.num_rows == 2


@pytest.mark.parametrize("caption", ["海滩上有一只狗", "浜辺に犬がいる", "สุนัขบนชายหาด", "해변의 개"])
def test_captions_without_blanks_have_words(caption: str) -> None:
    assert clean_table(pictures({"captions": [caption]}), "images", "default").kept.num_rows == 2
    assert clean_table(pictures({"captions": ["犬"]}), "images", "default").kept.num_rows == 1


def test_real_captions_pass_the_default(corpora: Path) -> None:
    import json

    listed = json.loads(next((corpora / "coco").rglob("captions_val2017.json")).read_text())
    rows = []
    for image in listed["images"]:
        said = [" ".join(a["caption"].split()) for a in listed["annotations"] if a["image_id"] == image["id"]]
        file = next((corpora / "coco").rglob(image["file_name"]))
        size = {"source_width": image["width"], "source_height": image["height"]}
        rows.append({"image": encoded(Image.open(file).convert("RGB").resize((224, 224))), "captions": said, **size})
    table = pictures(*rows)
    cleaned = clean_table(table, "images", "default")
    assert cleaned.kept.num_rows == table.num_rows
    assert cleaned.stats["samples_kept"] > 0.98 * cleaned.stats["samples_in"]


def word_picture(ink: int = 0, ground: int = 255) -> bytes:
    image = Image.new("RGB", (224, 224), (ground,) * 3)
    ImageDraw.Draw(image).rectangle((40, 60, 180, 160), fill=(ink,) * 3)
    return encoded(image)


BAD_WORDS: dict[str, dict[str, Any]] = {
    "label_length": {"text": "x" * 65},
    "label_alphabet": {"text": "wo\ue000rd"},
    "word_contrast": {"image": word_picture(120, 128)},
    "word_edge": {"source_height": 5},
    "character_width": {"source_width": 900, "text": "to"},
}


@pytest.mark.parametrize("rule", rules_of("ocr"), ids=lambda rule: rule.name)
def test_ocr_rules(rule: Rule) -> None:
    usual = {"image": word_picture(), "text": "word", "source": None, "source_width": 90, "source_height": 31}
    rows = []
    for number, row in enumerate(({}, BAD_WORDS[rule.name])):
        full = {"id": f"w{number}", "corpus": "made", **usual, **row}
        full["image"] = {"bytes": full["image"], "path": f"{number}.jpg"}
        rows.append(full)
    table = pa.Table.from_pylist(rows)
    cleaned = clean_table(table, "ocr", "off", {rule.name: True})
    assert cleaned.kept["id"].to_pylist() == ["w0"]
    assert cleaned.removed["reason"].to_pylist() == [rule.reason] and rule.reason in QUALITY_REASONS
    unsized = table.drop_columns(["source_width", "source_height"])
    judged = clean_table(unsized, "ocr", "off", {rule.name: True}).kept.num_rows
    assert judged == (2 if rule.name in {"word_edge", "character_width"} else 1), "unknown sizes are not judged"


@pytest.mark.parametrize("modality", ["audio", "images", "ocr"])
def test_empty_tables(modality: str, table_of: Callable[..., pa.Table]) -> None:
    table = {"audio": lambda: clips([speech()], ["x"]), "images": lambda: pictures({})}.get(modality, lambda: pa.table(
        {"id": ["a"], "image": [{"bytes": word_picture(), "path": "a"}], "text": ["a"]}))().slice(0, 0)  # fmt: skip
    assert clean_table(table, modality, "strict").kept.equals(table)
    assert clean_table(table_of([]), "text", "strict").kept.num_rows == 0
