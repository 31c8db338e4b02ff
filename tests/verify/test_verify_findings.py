"""One flaw at a time: exactly its finding, and "loss" exactly where a trainer's own reader loses something."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import reference_readers as trainers
import soundfile
from sample_project import CAPTIONS, LABELS, LINES, TEXTS, Project, picture, tone

from omni_ray.verify.checks import CHECKS
from omni_ray.verify.report import VerifyReport
from omni_ray.verify.run import verify

Change = Callable[[Project], object]


@dataclass
class Case:
    """A flaw: how to make it, what must be found in which kind of file, and how many rows that file loses by it."""

    name: str
    change: Change
    found: dict[str, set[str]]
    lost: dict[str, int] = field(default_factory=dict)


def codes(report: VerifyReport) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for finding in report.findings:
        found.setdefault(finding.kind, set()).add(finding.code)
    return found


def text(name: str, old: bytes, new: bytes, code: str, lost: int) -> Case:
    return Case(name, lambda p: p.edit(p.TEXT, lambda d: d.replace(old, new, 1)), {"text": {code}}, {"text": lost})


def line(name: str, added: bytes, code: str) -> Case:
    return Case(name, lambda p: p.edit(p.TEXT, lambda d: d + added), {"text": {code}}, {"text": 1})


TEXT = [
    text("bom", LINES[0].encode(), b"\xef\xbb\xbf" + LINES[0].encode(), "bom", 0),
    text("invalid bytes", b"fox", b"f\xffx", "invalid_utf8", 1),
    text("encoded surrogate", b"fox", b"f\xed\xa0\x80x", "invalid_utf8", 1),
    text("nul", b"fox", b"f\0x", "nul", 1),
    text("bell", b"fox", b"f\x07x", "control", 0),
    text("tab", b" fox", b"\tfox", "control", 0),
    text("delete", b"fox", b"f\x7fx", "control", 0),
    text("C1 control", b"fox", b"f\xc2\x86x", "control", 0),
    text("line separator", b" fox", "\u2028fox".encode(), "line_separator", 0),
    text("next line", b" fox", "\x85fox".encode(), "line_separator", 0),
    text("lone carriage return", b" fox", b"\rfox", "cr", 1),
    Case("CRLF", lambda p: p.edit(p.TEXT, lambda d: d.replace(b"\n", b"\r\n")), {"text": {"line_ends"}}, {"text": 0}),
    line("blank line", b"\n", "blank_line"),
    line("line of spaces", b"   \n", "blank_line"),
    line("line of no-break spaces", "\xa0\u3000\n".encode(), "blank_line"),
    line("zero-width line", "\u200b \u2060\n".encode(), "invisible_line"),
    line("line of tags", "\U000e0041\n".encode(), "invisible_line"),
    line("over-long line", b"word " * 20_001 + b"\n", "long_line"),
    line("over-long last line", b"word " * 20_001, "long_line"),
    Case("no text", lambda p: p.put(p.TEXT, b""), {"text": {"empty"}}, {"text": 0}),
]


def clip(name: str, row: int, column: int, value: str, code: str, lost: int = 1) -> Case:
    """A flaw that stands in the ASR file and in the TTS file alike; it is judged once, in the ASR file."""

    def change(project: Project) -> None:
        project.clips[row][column] = value
        project.write()

    return Case(name, change, {"asr": {code}}, {"asr": lost, "tts": 0})


def raw(name: str, file: str, old: bytes, new: bytes, code: str, lost: int, **more: set[str]) -> Case:
    kind = {"ASR": "asr", "TTS": "tts", "OCR": "ocr", "IMAGES": "images"}[file]
    found = {kind: {code}, **more}
    return Case(name, lambda p: p.edit(getattr(p, file), lambda d: d.replace(old, new, 1)), found, {kind: lost})


def both(name: str, old: bytes, new: bytes, code: str, lost: int) -> Case:
    def change(project: Project) -> None:
        for file in (project.ASR, project.TTS):
            project.edit(file, lambda d: d.replace(old, new))

    return Case(name, change, {"asr": {code}, "tts": {code}}, {"asr": lost, "tts": lost})


def absolute(project: Project) -> None:
    project.clips[0][0] = str(project.root / project.clips[0][0])
    project.write()


def carriage_return(text: bytes) -> Change:
    def change(project: Project) -> None:
        for file in (project.ASR, project.TTS):
            project.edit(file, lambda d: d.replace(b"hello there", text))

    return change


CSV = [
    raw("bom in ASR", "ASR", b"wav,", b"\xef\xbb\xbfwav,", "bom", 5),
    raw("bom in TTS", "TTS", b"text,", b"\xef\xbb\xbftext,", "bom", 0),
    raw("bom in OCR", "OCR", b"image,", b"\xef\xbb\xbfimage,", "bom", 5),
    raw("capital header", "ASR", b"wav,text", b"WAV,TEXT", "header", 5),
    raw("header with a blank", "OCR", b"image,text", b"image, text", "header", 5),
    raw("no header", "OCR", b"image,text\n", b"", "header", 4),
    raw("tabs", "TTS", b"text,wav", b"text\twav", "header", 5),
    raw("other OCR names", "OCR", b"image,text", b"img,label", "header_form", 0),
    raw("short row", "ASR", b",five", b"", "missing_field", 1),
    raw("short label row", "OCR", b"Street", b"", "blank_text", 1),
    raw("one-column row", "OCR", b"mj/0.jpg,Street", b"mj/0.jpg", "missing_field", 1),
    raw("one-column TTS row", "TTS", b"five,", b"", "missing_field", 1),
    raw("unquoted comma", "ASR", b'"yes, indeed"', b"yes, indeed", "extra_field", 1),
    raw("backslash quotes", "OCR", b'"q""t"', b'"q\\"t"', "quoting", 1),
    raw("open quote at the end", "OCR", b'"q""t"', b'"qt', "quoting", 1),
    raw("invalid bytes in ASR", "ASR", b"hello", b"hell\xff", "invalid_utf8", 1),
    raw("CRLF in ASR", "ASR", b"there\n", b"there\r\n", "line_ends", 0),
    raw("blank line", "OCR", b"Street\n", b"Street\n\n", "blank_row", 0),
    raw("TTS rows swapped", "TTS", b"hello there,data/audio/ls/a/0.wav", b"five,data/audio/ls/a/4.wav", "differs", 1),
    raw("TTS text differs", "TTS", b"hello there", b"hello", "differs", 1),
    raw("TTS row missing", "TTS", b"five,data/audio/ls/a/4.wav\n", b"", "differs", 0),
    Case(
        "TTS row more",
        lambda p: p.edit(p.TTS, lambda d: d + b"six,data/audio/ls/a/4.wav\n"), {"tts": {"differs"}}, {"tts": 1},
    ),
    both("field too long", b"hello there", b"x" * 131_073, "csv_error", 4),
    clip("nul", 0, 1, "hel\0lo", "nul"),
    clip("tab", 0, 1, "hello\tthere", "control"),
    clip("line break", 0, 1, "hello\nthere", "newline"),
    Case("quoted carriage return", carriage_return(b'"hello\rthere"'), {"asr": {"newline"}}, {"asr": 1, "tts": 0}),
    Case(
        "carriage return",
        carriage_return(b"hello\rthere"),
        {"asr": {"missing_field", "line_ends"}, "tts": {"missing_field"}},
        {"asr": 1, "tts": 1},
    ),
    clip("line separator", 0, 1, "hello\u2029there", "line_separator", 0),
    clip("blank transcript", 0, 1, "", "blank_text"),
    clip("white transcript", 0, 1, " \u3000", "blank_text"),
    clip("invisible transcript", 0, 1, "\u200b\ufeff", "blank_text"),
    clip("no path", 0, 0, "", "blank_path"),
    clip("padded path", 0, 0, " data/audio/ls/a/0.wav", "padded_path"),
    clip("backslashes", 0, 0, "data\\audio\\ls\\a\\0.wav", "backslash_path"),
    clip("path with dots", 0, 0, "data/audio/../audio/ls/a/0.wav", "outside_path", 0),
    Case("absolute path", absolute, {"asr": {"absolute_path"}}, {"asr": 0, "tts": 0}),
    clip("path from data", 0, 0, "audio/ls/a/0.wav", "wrong_root"),
    clip("path from data/audio", 0, 0, "ls/a/0.wav", "wrong_root"),
    clip("no such clip", 0, 0, "data/audio/ls/a/9.wav", "clip_missing"),
    clip("same clip twice", 0, 0, "data/audio/ls/a/1.flac", "duplicate_media", 0),
    clip("too fast", 0, 1, "abcdefghijklmnopqrstuvwxyz", "ctc_infeasible", 0),
    clip("too fast for doubled letters", 0, 1, "a" * 14, "ctc_infeasible", 0),
    Case("no rows", lambda p: p.put(p.OCR, b"image,text\n"), {"ocr": {"empty"}}, {"ocr": 0}),
    Case("nothing at all", lambda p: p.put(p.OCR, b""), {"ocr": {"empty"}}, {"ocr": 0}),
    Case("no TTS file", lambda p: os.unlink(p.root / p.TTS), {"tts": {"file_missing"}}),
]  # fmt: skip


def word(name: str, row: int, column: int, value: str, code: str, lost: int = 1) -> Case:
    def change(project: Project) -> None:
        project.words[row][column] = value
        project.write()

    return Case(name, change, {"ocr": {code}}, {"ocr": lost})


OCR = [
    word("blank label", 0, 1, "", "blank_text"),
    word("padded label", 0, 1, " Street", "padded_text", 0),
    word("path from data", 0, 0, "ocr/mj/0.jpg", "wrong_root"),
    word("path from the project", 0, 0, "data/ocr/mj/0.jpg", "wrong_root"),
    word("no such image", 0, 0, "mj/9.jpg", "image_missing"),
    word("folder", 0, 0, "mj", "image_missing"),
    word("trailing blank", 0, 0, "mj/0.jpg ", "padded_path"),
    word("same image twice", 0, 0, "mj/1.jpg", "duplicate_media", 0),
    word("line break in a label", 0, 1, "Str\neet", "newline"),
]


def element(name: str, number: int, value: object, code: str, lost: int = 1) -> Case:
    """Element ``number`` becomes ``value``; 4 is the only one of its image."""

    def change(project: Project) -> None:
        project.captions[number] = value
        project.put(project.IMAGES, json.dumps(project.captions).encode())

    return Case(name, change, {"images": {code}}, {"images": lost})


def caption(name: str, value: object, code: str, lost: int = 1) -> Case:
    return element(name, 0, {"image": "coco/train/0.jpg", "caption": value}, code, lost)


def image(name: str, value: object, code: str, lost: int = 1) -> Case:
    return element(name, 0, {"image": value, "caption": CAPTIONS[0]}, code, lost)


JSON = [
    raw("bom", "IMAGES", b"[", b"\xef\xbb\xbf[", "bom", 0),
    raw("trailing comma", "IMAGES", b'"The sea",\n  "category": "coco"\n }', b'"The sea"},', "bad_json", 5),
    raw("latin-1", "IMAGES", "“sign”".encode(), b"\xe9", "bad_json", 0),
    raw("cut in half", "IMAGES", b'"The sea",\n  "category": "coco"\n }\n]', b'"The s', "bad_json", 4),
    raw("cut after an element", "IMAGES", b'"The sea",\n  "category": "coco"\n }\n]', b'"The sea"}', "bad_json", 5),
    raw("something more", "IMAGES", b"\n]", b"\n]]", "bad_json", 5),
    raw("raw line break", "IMAGES", b"dog on", b"dog\non", "bad_json", 0),
    Case("object", lambda p: p.put(p.IMAGES, b'{"images": []}'), {"images": {"not_a_list"}}),
    Case(
        "JSON lines",
        lambda p: p.put(p.IMAGES, b'{"image": "a", "caption": "b"}\n{"image": "a", "caption": "b"}\n'),
        {"images": {"not_a_list"}},
    ),
    Case("empty file", lambda p: p.put(p.IMAGES, b""), {"images": {"bad_json"}}),
    Case("empty list", lambda p: p.put(p.IMAGES, b"[]"), {"images": {"empty"}}),
    element("null", 0, None, "bad_element"),
    element("list", 0, ["a"], "bad_element"),
    element("no image", 0, {"caption": "a"}, "bad_image"),
    image("null image", None, "bad_image"),
    image("empty image", "", "bad_image"),
    image("padded path", " coco/train/0.jpg", "padded_path"),
    image("backslashes", "coco\\train\\0.jpg", "backslash_path"),
    image("dots", "../images/coco/train/0.jpg", "outside_path", 0),
    image("path from the project", "data/images/coco/train/0.jpg", "wrong_root"),
    image("no such image", "coco/train/9.jpg", "image_missing"),
    element("no caption", 0, {"image": "coco/train/0.jpg"}, "missing_caption"),
    caption("null caption", None, "bad_caption"),
    caption("number for a caption", 7, "bad_caption"),
    caption("list for a caption", ["a"], "bad_caption"),
    caption("half a surrogate pair", "a \ud83d", "surrogate"),
    caption("blank caption", " ", "blank_text"),
    caption("invisible caption", "\u200d", "blank_text"),
    caption("nul in a caption", "a\0b", "nul"),
    caption("line break in a caption", "A dog\non a bench.", "control", 0),
]  # fmt: skip


def sound(name: str, make: Callable[[Path], object], code: str, *also: str, lost: int = 1) -> Case:
    def change(project: Project) -> None:
        path = project.root / "data/audio/ls/a/0.wav"
        path.unlink()
        make(path)

    return Case(name, change, {"asr": {code, *also}}, {"asr": lost, "tts": 0})


def write(rate: int = 16_000, channels: int = 1, form: str = "WAV", subtype: str = "PCM_16") -> Callable[[Path], None]:
    def make(path: Path) -> None:
        soundfile.write(path, np.stack([tone(2, rate)] * channels, 1), rate, format=form, subtype=subtype)

    return make


def cut(form: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        write(form=form)(path)
        path.write_bytes(path.read_bytes()[:-1000])

    return make


def not_a_number(path: Path) -> None:
    wave = tone().astype(np.float32) / 32768
    wave[100] = np.nan
    soundfile.write(path, wave, 16_000, subtype="FLOAT")


CLIPS = [
    sound("folder", Path.mkdir, "clip_missing"),
    sound("pipe", os.mkfifo, "clip_missing"),
    sound("junk", lambda p: p.write_bytes(b"not a sound" * 99), "clip_undecodable"),
    sound("nothing", lambda p: p.write_bytes(b""), "clip_undecodable"),
    sound("cut FLAC", cut("FLAC"), "clip_undecodable"),
    sound("cut WAV", cut("WAV"), "clip_truncated"),
    sound("512 samples", lambda p: soundfile.write(p, tone()[:512], 16_000), "clip_short"),
    sound("no samples", lambda p: soundfile.write(p, tone()[:0], 16_000), "clip_short"),
    sound("NaN", not_a_number, "clip_not_finite", "clip_format"),
    sound("8 kHz", write(rate=8000), "clip_rate"),
    sound("stereo", write(channels=2), "clip_channels"),
    sound("Ogg", write(form="OGG", subtype="VORBIS"), "clip_format", lost=0),
    sound("8 bits", write(subtype="PCM_U8"), "clip_format", lost=0),
]


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"


def shown(name: str, make: Callable[[Path], object], code: str, *, lost: int = 1) -> Case:
    """A picture that one OCR row and, with the same flaw, two captions have."""

    def change(project: Project) -> None:
        for path in ("data/ocr/mj/0.jpg", "data/images/coco/train/0.jpg"):
            (project.root / path).unlink()
            make(project.root / path)

    return Case(name, change, {"ocr": {code}, "images": {code}}, {"ocr": lost, "images": 2 * lost})


def save(mode: str = "RGB", form: str = "JPEG") -> Callable[[Path], None]:
    return lambda path: picture(mode=mode).save(path, form)


def turned(path: Path) -> None:
    exif = picture().getexif()
    exif[0x0112] = 6
    picture().save(path, "JPEG", exif=exif)


def cut_picture(path: Path) -> None:
    picture((200, 200)).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:-500])


PICTURES = [
    shown("junk", lambda p: p.write_bytes(b"not a picture" * 99), "image_undecodable"),
    shown("nothing", lambda p: p.write_bytes(b""), "image_undecodable"),
    shown("cut JPEG", cut_picture, "image_undecodable"),
    shown("pipe", os.mkfifo, "image_missing"),
    shown("PostScript", lambda p: p.write_bytes(POSTSCRIPT), "image_undecodable"),
    shown("16-bit grey", lambda p: picture(mode="I;16").save(p, "PNG"), "image_depth"),
    shown("transparent", save("RGBA", "PNG"), "image_alpha"),
    shown("grey", save("L"), "image_mode", lost=0),
    shown("CMYK", save("CMYK"), "image_mode", lost=0),
    shown("palette", save("P", "PNG"), "image_mode", lost=0),
    shown("WebP", save(form="WEBP"), "image_format", lost=0),
    shown("turned", turned, "image_orientation"),
]  # fmt: skip

CASES = [*TEXT, *CSV, *OCR, *JSON, *CLIPS, *PICTURES]
_PASSED_ON = {
    "nul", "control", "newline", "line_separator", "blank_line", "blank_text", "padded_text", "invisible_line",
    "long_line", "ctc_infeasible", "differs", "clip_truncated", "clip_not_finite", "clip_rate", "clip_channels",
    "image_depth",
    "image_alpha", "image_orientation", "empty",
}  # fmt: skip
"""What the readers pass on as it is, and what does harm only later."""
_DEPENDS = {"pipe", "PostScript"}
"""A reader waits for a pipe for ever; it reads PostScript where the machine has Ghostscript."""


def test_a_clean_project_has_nothing(project: Project) -> None:
    report = verify(project.root)
    assert report.findings == []
    assert report.ok
    assert {f.kind: (f.rows, f.lost, f.decoded) for f in report.files} == {
        "text": (5, 0, 0), "asr": (5, 0, 5), "tts": (5, 0, 0), "images": (5, 0, 3), "ocr": (5, 0, 5),
    }  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_flaw_gives_its_finding_and_no_other(project: Project, case: Case) -> None:
    case.change(project)
    report = verify(project.root)
    assert codes(report) == case.found
    assert {f.kind: f.lost for f in report.files if f.kind in case.lost} == case.lost
    for finding in report.findings:
        assert finding.count >= 1
        assert finding.severity == CHECKS[finding.kind, finding.code].severity
        assert finding.trainers
        assert finding.consequence


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if not _PASSED_ON & set().union(*c.found.values()) and c.name not in _DEPENDS],
    ids=lambda case: case.name,
)
def test_it_is_a_loss_where_a_trainers_reader_loses_something(project: Project, case: Case) -> None:
    case.change(project)
    report = verify(project.root)
    for kinds, readers in (
        (("text",), ("text",)),
        (("asr", "tts"), ("asr", "tts")),
        (("images",),) * 2,
        (("ocr",),) * 2,
    ):
        is_loss = any(f.severity != "warning" for f in report.findings if f.kind in kinds)
        assert is_loss == (not all(_is_intact(project, reader) for reader in readers)), readers


def _is_intact(project: Project, kind: str) -> bool:
    """Whether the trainer of ``kind`` gets every sample that was meant, and nothing beside."""
    wanted = {"text": LINES, "asr": TEXTS, "tts": [str(i) for i in range(5)], "images": CAPTIONS, "ocr": LABELS}[kind]
    try:
        got = trainers.samples(project.root, kind)
    except (OSError, ValueError, TypeError, AttributeError, csv.Error):
        return False
    if kind == "tts":
        return len(got) == len(wanted)
    return [sample[-1] for sample in got] == wanted


@pytest.mark.parametrize("case", TEXT + CSV + OCR + JSON, ids=lambda case: case.name)
def test_rows_are_numbered_as_the_trainers_number_them(project: Project, case: Case) -> None:
    case.change(project)
    report = verify(project.root)
    for file in report.files:
        path = project.root / file.file
        try:
            if file.kind == "text":
                assert file.rows == len(trainers.lines(path))
            elif file.kind == "images":
                assert file.rows == len(trainers.elements(path))
            else:
                assert file.rows == len(trainers.rows(path))
        except (ValueError, TypeError, OSError, csv.Error):
            assert file.kind in {f.kind for f in report.findings if f.severity == "fatal"}


def test_findings_say_where(project: Project) -> None:
    project.clips[2][1] = ""
    project.captions[4] = None
    project.lines[3] = "\u200b"
    project.write()
    places = {f.kind: (f.line, f.row) for f in verify(project.root).findings}
    assert places == {"text": (4, None), "asr": (4, 2), "images": (None, 4)}


def test_every_kind_of_file_can_be_missing_or_named(project: Project) -> None:
    report = verify(project.root, modalities=["ocr"])
    assert [f.kind for f in report.files] == ["ocr"]
    (project.root / project.ASR).unlink()
    assert codes(verify(project.root, modalities=["audio"])) == {"asr": {"file_missing"}}


def test_without_the_asr_file_the_tts_file_is_judged_by_itself(project: Project) -> None:
    (project.root / project.ASR).unlink()
    (project.root / "data/audio/ls/a/1.flac").unlink()
    report = verify(project.root)
    assert codes(report) == {"asr": {"file_missing"}, "tts": {"clip_missing"}}
    assert [f.decoded for f in report.files if f.kind == "tts"] == [4]
