"""The closed list of what ``verify`` looks for, and what each thing costs which trainer.

A check is named by the kind of file and a code. The same flaw can be harmless in one kind of file and ruin another:
a byte order mark at the head of the text is dropped by the tokenizer, in the ASR file it loses every row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

Severity = Literal["fatal", "loss", "warning"]
SEVERITIES: dict[Severity, str] = {
    "fatal": "a trainer stops, or trains on nothing and says so to nobody",
    "loss": "samples are dropped, cut, or reach the model as something else than was written",
    "warning": "nothing is lost, but somebody should know",
}
KINDS = ("text", "asr", "tts", "images", "ocr", "shards")

_LINES = ("train_text", "sft_omni")
_ASR = ("train_audio_enc", "sft_omni")
_TTS = ("train_talker", "train_vocoder")
_CLIPS = ("train_audio_enc", "train_talker", "train_vocoder", "sft_omni")
_CAPTIONS = ("train_vision", "sft_omni")
_OCR = ("train_ocr",)
_READERS = {"text": _LINES, "asr": _ASR, "tts": _TTS, "images": _CAPTIONS, "ocr": _OCR}


@dataclass(frozen=True)
class Check:
    """One thing that can be wrong.

    Attributes:
        kind: the kind of file, one of :data:`KINDS`.
        code: its name within the kind.
        severity: fatal, loss or warning; see :data:`SEVERITIES`.
        trainers: the scripts it hurts.
        meaning: what is wrong, as the end of a sentence about a row or a file.
        consequence: what the trainers make of it.
        whole_file: whether one occurrence takes every row of the file with it.
    """

    kind: str
    code: str
    severity: Severity
    trainers: tuple[str, ...]
    meaning: str
    consequence: str
    whole_file: bool = False

    def as_dict(self) -> dict[str, object]:
        """For ``--json``."""
        return asdict(self)


_TEXT = (
    Check("text", "bom", "warning", _LINES, "the file begins with a byte order mark", "the tokenizer drops it"),
    Check(
        "text", "invalid_utf8", "loss", _LINES, "the line is not UTF-8",
        "the bytes that are not vanish without a word",
    ),
    Check(
        "text", "nul", "loss", _LINES, "the line holds NUL",
        "it becomes the unknown token, which is also the padding, and tokenizer training passes over it",
    ),
    Check(
        "text", "control", "warning", _LINES, "the line holds a tab or control character",
        "the tokenizer makes a space of it or drops it",
    ),
    Check(
        "text", "line_separator", "warning", _LINES, "the line holds U+0085, U+2028 or U+2029",
        "the trainers take it for a space, other tools for a line end",
    ),
    Check("text", "cr", "loss", _LINES, "the line holds a lone carriage return", "it becomes two samples"),
    Check("text", "line_ends", "warning", _LINES, "the line ends in CRLF", "the trainers accept it"),
    Check(
        "text", "blank_line", "loss", _LINES, "the line is blank",
        "train_text counts it as a sample and never trains on it; sft_omni puts a stock answer in its place",
    ),
    Check(
        "text", "invisible_line", "loss", _LINES, "the line holds only invisible characters",
        "it is trained on as a sample of nothing but the start mark",
    ),
    Check(
        "text", "long_line", "loss", _LINES, "the line is over 100,000 bytes",
        "tokenizer training leaves it out, and only its first tokens are ever seen",
    ),
    Check(
        "text", "cut_line", "warning", _LINES, "the line has more tokens than the context after the start mark",
        "the tokens beyond are never seen",
    ),
    Check(
        "text", "comma_in_path", "fatal", ("train_text",), "the file's path holds a comma",
        "tokenizer training takes it for two files and stops",
    ),
)  # fmt: skip

_CSV = (
    *(
        Check(
            kind, "bom", "loss", _READERS[kind], "the file begins with a byte order mark",
            "the first column loses its name: every row is dropped without a word", whole_file=True,
        )
        for kind in ("asr", "ocr")
    ),
    Check(
        "tts", "bom", "warning", _TTS, "the file begins with a byte order mark",
        "it hides the column text, which these trainers do not read",
    ),
    *(
        check
        for kind in ("asr", "tts", "ocr")
        for check in (
            Check(
                kind, "header", "loss", _READERS[kind], "the header lacks a column the trainers look for by name",
                "every row is dropped without a word, or trained on with a blank text", whole_file=True,
            ),
            Check(
                kind, "header_form", "warning", _READERS[kind],
                "the header has the columns, but not in the standard form",
                "the trainers accept it: they look for columns by name",
            ),
            Check(
                kind, "csv_error", "fatal", _READERS[kind],
                "the row cannot be parsed (a field over 131,072 characters, or a quote that never ends)",
                "csv raises outside of any net: the run stops", whole_file=True,
            ),
            Check(
                kind, "extra_field", "loss", _READERS[kind], "the row has more fields than the header",
                "a comma that was not quoted: the text is cut there",
            ),
            Check(
                kind, "quoting", "loss", _READERS[kind], "the row's quotes are not doubled or not closed",
                "the text is mangled, or the rows that follow are swallowed into this one",
            ),
            Check(
                kind, "invalid_utf8", "loss", _READERS[kind], "the row is not UTF-8",
                "the bytes that are not vanish without a word",
            ),
            Check(kind, "line_ends", "warning", _READERS[kind], "the row ends in CRLF or CR", "the readers accept it"),
            Check(kind, "blank_row", "warning", _READERS[kind], "a blank line stands between rows", "csv ignores it"),
            Check(
                kind, "nul", "loss", _READERS[kind], "a field holds NUL",
                "it is learnt as a letter; before Python 3.11 the run stops",
            ),
            Check(
                kind, "control", "loss", _READERS[kind], "a field holds a tab or control character",
                "it is learnt as a letter of its own",
            ),
            Check(
                kind, "newline", "loss", _READERS[kind], "a field holds a line break",
                "it is learnt as a letter; or a stray quote has swallowed the rows that follow",
            ),
            Check(
                kind, "line_separator", "warning", _READERS[kind], "a field holds U+0085, U+2028 or U+2029",
                "it is learnt as a letter of its own",
            ),
        )
    ),
    *(
        check
        for kind, trainers in (("asr", _CLIPS), ("tts", _CLIPS), ("ocr", _OCR))
        for check in (
            Check(
                kind, "blank_path", "loss", trainers, "the row names no media file",
                "the row is dropped without a word",
            ),
            Check(
                kind, "padded_path", "loss", _OCR if kind == "ocr" else _TTS, "blanks stand around the path",
                "they are taken for a part of the name: the row is dropped without a word",
            ),
            Check(
                kind, "backslash_path", "loss", trainers, "the path is written with backslashes",
                "no such file is found: the row is dropped without a word",
            ),
            Check(
                kind, "absolute_path", "warning", trainers, "the path is absolute",
                "it works on this machine, and only while the project stays where it is",
            ),
            Check(
                kind, "outside_path", "warning", trainers, "the path leaves its folder by ..",
                "it works only while the surroundings of the project stay as they are",
            ),
            Check(
                kind, "duplicate_media", "warning", trainers, "an earlier row names the same file",
                "it counts twice, and may stand in training and in validation",
            ),
        )
    ),
    Check(
        "asr", "missing_field", "fatal", _ASR, "the row has fewer fields than the header",
        "train_audio_enc stops with an error, whatever the other rows are",
    ),
    Check(
        "tts", "missing_field", "loss", _TTS, "the row has fewer fields than the header",
        "it has no wav: it is dropped without a word",
    ),
    Check(
        "ocr", "missing_field", "loss", _OCR, "the row has fewer fields than the header",
        "its label is blank, and is trained on as the unknown character",
    ),
    Check(
        "asr", "blank_text", "loss", ("train_audio_enc",), "the transcript is blank",
        "the clip is trained on as one unknown character",
    ),
    Check(
        "ocr", "blank_text", "loss", _OCR, "the label is blank", "the image is trained on as one unknown character"
    ),
    Check(
        "ocr", "padded_text", "warning", _OCR, "blanks stand around the label", "train_ocr learns them as letters"
    ),
    Check(
        "tts", "differs", "loss", _TTS, "the row is not the same as in the ASR file",
        "speech is learnt from other clips than it is recognised from",
    ),
)  # fmt: skip

_CLIP = tuple(
    check
    for kind in ("asr", "tts")
    for check in (
        Check(
            kind, "clip_missing", "loss", _CLIPS, "there is no such clip",
            "the row is dropped without a word",
        ),
        Check(
            kind, "wrong_root", "loss", _CLIPS, "the clip is elsewhere: paths start from the project folder",
            "the row is dropped without a word",
        ),
        Check(
            kind, "clip_undecodable", "fatal", _CLIPS, "the clip cannot be decoded to its end",
            "sft_omni stops with an error; the others drop the row without a word",
        ),
        Check(
            kind, "clip_truncated", "loss", _CLIPS, "the clip ends before its header says",
            "a part of the words is not in the sound, and all of them are trained on",
        ),
        Check(
            kind, "clip_short", "fatal", _CLIPS, "the clip has fewer than 513 samples at 16 kHz",
            "sft_omni stops with an error; the others drop the row without a word",
        ),
        Check(
            kind, "clip_not_finite", "fatal", _CLIPS, "the clip holds NaN or infinite samples",
            "train_audio_enc and sft_omni stop with an error",
        ),
        Check(
            kind, "clip_rate", "loss", _CLIPS, "the clip is not sampled at 16 kHz",
            "sft_omni hears it at the wrong speed; the others resample it on every epoch",
        ),
        Check(
            kind, "clip_channels", "loss", _CLIPS, "the clip is not mono",
            "all but train_vocoder hear the first channel only",
        ),
        Check(
            kind, "clip_long", "warning", _CLIPS, "the clip is over four hours long, and was not decoded",
            "the trainers hold all of it in memory, and see its beginning",
        ),
        Check(
            kind, "clip_format", "warning", _CLIPS, "the clip is neither FLAC nor 16-bit PCM WAV",
            "the trainers decode it where their audio library does",
        ),
        Check(
            kind, "ctc_infeasible", "warning", ("train_audio_enc",),
            "the transcript has more characters than the clip has output frames (12.5 a second)",
            "the loss is set to zero: nothing is learnt from the clip",
        ),
    )
)  # fmt: skip

_JSON = (
    Check("images", "bom", "fatal", _CAPTIONS, "the file begins with a byte order mark", "json refuses it", True),
    Check(
        "images", "bad_json", "fatal", _CAPTIONS, "the file is not one valid JSON value in UTF-8",
        "json raises, and the run stops", True,
    ),
    Check(
        "images", "not_a_list", "fatal", _CAPTIONS, "the file is not a plain list of objects",
        "train_vision finds nothing in it; sft_omni stops with an error", True,
    ),
    Check(
        "images", "bad_element", "fatal", _CAPTIONS, "the element is not an object",
        "sft_omni stops with an error; train_vision drops it without a word",
    ),
    Check(
        "images", "bad_image", "fatal", _CAPTIONS, "the element names no image (absent, empty, or not a string)",
        "sft_omni stops with an error; train_vision drops it without a word",
    ),
    Check(
        "images", "missing_caption", "loss", ("train_vision",), "the element has no caption",
        "it is dropped without a word",
    ),
    Check(
        "images", "bad_caption", "fatal", ("train_vision",), "the caption is not a string",
        "the tokenizer raises, and the run stops",
    ),
    Check(
        "images", "surrogate", "fatal", ("train_vision",), "the caption holds half of a surrogate pair",
        "the tokenizer raises, and the run stops",
    ),
    Check(
        "images", "blank_text", "loss", ("train_vision",), "the caption is blank",
        "the picture is trained on with nothing but the start mark",
    ),
    Check(
        "images", "nul", "loss", ("train_vision",), "the caption holds NUL",
        "it becomes the unknown token, which is also the padding",
    ),
    Check(
        "images", "control", "warning", ("train_vision",), "the caption holds a line break or control character",
        "the tokenizer makes a space of it or drops it",
    ),
    Check(
        "images", "padded_path", "loss", _CAPTIONS, "blanks stand around the path",
        "they are taken for a part of the name: the element is dropped without a word",
    ),
    Check(
        "images", "backslash_path", "loss", _CAPTIONS, "the path is written with backslashes",
        "no such file is found: the element is dropped without a word",
    ),
    Check(
        "images", "absolute_path", "warning", _CAPTIONS, "the path is absolute",
        "it works on this machine, and only while the project stays where it is",
    ),
    Check(
        "images", "outside_path", "warning", _CAPTIONS, "the path leaves its folder by ..",
        "it works only while the surroundings of the project stay as they are",
    ),
)  # fmt: skip


def _picture_checks() -> Iterator[Check]:
    for kind, trainers in (("images", _CAPTIONS), ("ocr", _OCR)):
        is_ocr = kind == "ocr"
        yield Check(
            kind, "image_missing", "loss", trainers, "there is no such image",
            "the row is dropped without a word" if is_ocr else
            "train_vision drops the caption, sft_omni the picture, without a word",
        )  # fmt: skip
        yield Check(
            kind, "wrong_root", "loss", trainers, f"the image is elsewhere: paths start from data/{kind}",
            "the row is dropped without a word",
        )  # fmt: skip
        yield Check(
            kind, "image_undecodable", "loss" if is_ocr else "fatal", trainers,
            "the image cannot be decoded to its end",
            "the row is dropped without a word" if is_ocr else
            "sft_omni stops with an error; train_vision drops the caption without a word",
        )  # fmt: skip
        yield Check(
            kind, "image_depth", "loss", trainers, "the image has one channel of more than 8 bits",
            "it is clipped to white",
        )  # fmt: skip
        yield Check(
            kind, "image_alpha", "loss", trainers, "the image is transparent",
            "transparency is ignored: what was hidden is shown",
        )  # fmt: skip
        yield Check(
            kind, "image_orientation", "loss", trainers, "the image is stored turned, and only its EXIF data say so",
            "the trainers see it turned",
        )  # fmt: skip
        yield Check(
            kind, "image_mode", "warning", trainers, "the image is not 8-bit RGB (grey, palette, CMYK, 16 bits)",
            "the trainers convert it on every epoch",
        )  # fmt: skip
        yield Check(
            kind, "image_format", "warning", trainers, "the image is neither JPEG nor PNG",
            "the trainers decode it where their image library does",
        )  # fmt: skip
        yield Check(
            kind, "image_size", "warning", trainers, "the image has not the size its corpus was prepared with",
            "the trainers squash it to their own size",
        )  # fmt: skip


_GROUPS = {
    "text": "a document",
    "asr": "a speaker, or a recording that clips are cut from,",
    "images": "a picture",
    "ocr": "a photograph",
}
_LEAK = (
    "what is measured on it is not what it seems: `omni-ray clean` removes what stands twice, `omni-ray combine --replace` "
    "parts both files again"
)


def _file_checks() -> Iterator[Check]:
    nothing = {
        "text": "tokenizer training stops",
        "asr": "train_audio_enc takes no step and exits as if all were well",
        "tts": "the trainers take no step and exit as if all were well",
        "images": "train_vision takes no step and exits as if all were well",
        "ocr": "train_ocr stops with an error",
    }
    for kind, trainers in _READERS.items():
        yield Check(kind, "file_missing", "fatal", trainers, "the file is not there", "its trainers cannot start")
        yield Check(kind, "empty", "fatal", trainers, "the file holds no sample", nothing[kind])
        yield Check(
            kind, "count_mismatch", "loss", trainers, "the file has not the number of samples that the shards have",
            "samples are missing, or stand in it twice: run `omni-ray combine` again",
        )  # fmt: skip
        sample = "a line" if kind == "text" else "a medium"
        if kind != "tts":
            yield Check(kind, "both_sides", "loss", trainers, f"{sample} that is held out is trained on, too", _LEAK)
        if kind in _GROUPS:
            yield Check(
                kind, "group_both_sides", "loss", trainers,
                f"{_GROUPS[kind]} is on both sides: held out, and trained on", _LEAK,
            )  # fmt: skip


_SHARDS = (
    Check(
        "shards", "bad_manifest", "loss", (), "the manifest or corpus.json cannot be read",
        "counts cannot be checked: run the same prepare again",
    ),
    Check(
        "shards", "missing_unit", "loss", (), "a unit of the corpus is not committed",
        "the corpus is incomplete: run the same prepare again",
    ),
    Check(
        "shards", "missing_shard", "loss", (), "the shard is not there, or has not the size its manifest states",
        "the training files cannot be made again: run the same prepare again (or clean)",
    ),
    Check(
        "shards", "changed_shard", "loss", (), "the shard's SHA-256 is not the one its manifest states",
        "what would be made of it is not what was prepared: `omni-ray combine --replace` finds it, and says how it is made again",
    ),
)  # fmt: skip

CHECKS: dict[tuple[str, str], Check] = {
    (check.kind, check.code): check
    for check in (*_file_checks(), *_TEXT, *_CSV, *_CLIP, *_JSON, *_picture_checks(), *_SHARDS)
}
"""Every check, by kind of file and code."""
