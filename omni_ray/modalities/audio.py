"""Audio: an encoded clip becomes 16 kHz mono FLAC or WAV that every trainer can load, with its transcript."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.media_names import safe_name
from omni_ray.modalities import waveform
from omni_ray.modalities.base import Modality, Transformed, media_type, schema_for, schema_of_raw, schema_of_shards
from omni_ray.modalities.groups import known_speakers
from omni_ray.modalities.lines import one_line
from omni_ray.modalities.params import AudioParams, channel_number
from omni_ray.records import EXTRA, Rejected, Unusable
from omni_ray.sources.kinds import AUDIO
from omni_ray.trainers.files import MAX_FIELD_CHARS
from omni_ray.trainers.speech import MIN_SAMPLES, SAMPLING_RATE, ctc_frames, ctc_needed

_STATS = ("seconds", "outside_1_10s", "ctc_infeasible", "overdriven", "rescaled")
_USUAL_SECONDS = (1.0, 10.0)
_CUT_OUT = r"^(?P<recording>.*)-\d+\.\d{3}-(?:\d+\.\d{3}|end)(?:-\w+)*\.[a-z]+$"
"""The path of a clip that was cut from a recording; its channel, and what tells equal paths apart, may follow."""


class Audio(Modality[AudioParams]):
    """Speech clips with transcripts. A record is a clip."""

    name = "audio"
    params_type = AudioParams
    version = 4
    media = "audio"
    title, row, samples, judged, held_together = "Speech", "clip", "clips", "clip", "speaker"
    tasks = ("automatic-speech-recognition", "text-to-speech")
    own_files = "audio_files"
    group_columns = ("audio.path", "speaker")

    raw_schema = schema_of_raw(
        ("audio", pa.binary()),
        ("path", pa.string()),
        ("text", pa.string()),
        ("speaker", pa.string()),
        ("channel", pa.string()),
    )
    """``audio`` is an encoded file, ``path`` its place in the corpus, with any ending; ``channel`` as :func:`channel_number`
    takes it, or null."""
    schema = schema_of_shards(
        ("audio", media_type()),
        ("text", pa.string()),
        ("speaker", pa.string()),
        ("num_samples", pa.int64()),
        ("duration", pa.float64()),
        ("source_sampling_rate", pa.int32()),
        audio={"sampling_rate": SAMPLING_RATE, "_type": "Audio"},
    )
    """``audio.path`` is relative, with the ending of the bytes; ``duration`` is in seconds."""

    def transform(self, raw: pa.Table, corpus: str, params: AudioParams) -> Transformed:
        """Decode, downmix, resample, encode.

        ``stats`` of what is kept: ``seconds``, and the number of clips ``outside_1_10s``, ``ctc_infeasible``
        (transcripts too fast for the audio encoder), ``overdriven`` (clamped from over twice full scale) and
        ``rescaled`` (floats in the scale of 16-bit integers).
        """
        rows: list[dict[str, Any]] = []
        rejected: list[Rejected] = []
        stats = dict.fromkeys(_STATS, 0.0)
        for batch in raw.to_batches(max_chunksize=16):
            for row in batch.to_pylist():
                try:
                    clip, kept = _clip(row, corpus, params)
                except Unusable as error:
                    said = f"{_file(row)}{error}"
                    rejected.append(Rejected(row["id"], row["where"], error.reason, said, row["records"] or 1))
                    continue
                rows.append(kept)
                _count(stats, clip, kept["text"])
        stats["seconds"] = round(stats["seconds"], 6)
        schema = schema_for(self.schema, raw.column_names)
        return Transformed(pa.Table.from_pylist(rows, schema=schema), rejected, stats)

    def group_names(self, rows: pa.Table) -> pa.ChunkedArray:
        """The speaker; where none is known, the recording a clip was cut from, whose name comes before its start and end."""
        recordings = pc.struct_field(pc.extract_regex(pc.struct_field(rows["audio"], "path"), _CUT_OUT), "recording")
        return pc.coalesce(known_speakers(rows["speaker"]), recordings)

    def group_said(self, row: Mapping[str, Any], name: str) -> str:
        """A speaker or a recording."""
        return f"{'speaker' if row['speaker'] == name else 'recording'} {name}"

    def sums(self, rows: pa.Table) -> dict[str, float]:
        """The seconds of speech."""
        return {"seconds": round(float(np.sum(rows["duration"].to_numpy())), 6)}

    def warnings(self, samples: int, stats: Mapping[str, float], params: AudioParams) -> list[str]:
        """Clips that train, but not well."""
        if not samples:
            return []
        said = []
        outside = stats.get("outside_1_10s", 0)
        if outside / samples > 0.05:
            said.append(
                f"{outside:.0f} of {samples} clips are outside 1-10 s, which the trainers do best with; "
                "--min-seconds and --max-seconds leave them out"
            )
        infeasible = stats.get("ctc_infeasible", 0)
        if infeasible / samples > 0.05:
            said.append(
                f"{infeasible:.0f} of {samples} clips are spoken faster than the audio encoder can follow (12.5 characters a "
                "second at downsample_time 8), and nothing is learnt from them; `omni-ray plan` sets 4 where it must"
            )
        overdriven, rescaled = stats.get("overdriven", 0), stats.get("rescaled", 0)
        if overdriven:
            said.append(f"{overdriven:.0f} of {samples} clips go beyond twice full scale, and are clipped there")
        if rescaled:
            said.append(
                f"{rescaled:.0f} of {samples} clips held floats in the scale of 16-bit integers, and were divided by 32,768"
            )
        return said


MODALITY = Audio()


def _clip(row: Mapping[str, Any], corpus: str, params: AudioParams) -> tuple[waveform.Clip, dict[str, Any]]:
    text = one_line(row["text"] or "")
    if not text:
        raise Unusable("empty_text", "no transcript is left after cleaning")
    if len(text) > MAX_FIELD_CHARS:
        raise Unusable("text_too_long", f"{len(text):,} characters")
    path = _path(row["path"], params.audio_format)
    if not row["audio"]:
        raise Unusable("decode_error", "the file is empty")
    channel = _channel(row["channel"] or params.channel)
    clip = waveform.convert(
        row["audio"], SAMPLING_RATE, params.audio_format, params.resampler, params.max_seconds, channel
    )
    seconds = clip.num_samples / SAMPLING_RATE
    if clip.num_samples < MIN_SAMPLES or seconds < params.min_seconds:
        raise Unusable("too_short", f"{clip.num_samples} samples at 16 kHz ({seconds:.3f} s)")
    if params.max_seconds is not None and seconds > params.max_seconds:
        raise Unusable("too_long", f"{seconds:.1f} s")
    return clip, {
        "id": row["id"],
        "corpus": corpus,
        "audio": {"bytes": clip.data, "path": path},
        "text": text,
        "speaker": row["speaker"],
        "num_samples": clip.num_samples,
        "duration": seconds,
        "source_sampling_rate": clip.source_rate,
        EXTRA: row.get(EXTRA),
    }


def _file(row: Mapping[str, Any]) -> str:
    """The file's name, for messages whose place is a row of a table."""
    path = (row["path"] or "").removesuffix(".flac")
    name = path if path.lower().endswith(AUDIO) else f"{path}.flac"
    return "" if row["where"].startswith(name.rpartition(".")[0]) else f"{name}: "


def _channel(name: str) -> int | None:
    try:
        return channel_number(name)
    except ValueError:
        raise Unusable("missing_channel", f"channel {name}: left, right, or a number that counts from 1") from None


def _path(path: str, audio_format: str) -> str:
    """``path`` with the ending of the bytes, as every disk can hold it."""
    stem, dot, ending = path.rpartition(".")
    return f"{safe_name(stem if dot and '/' not in ending else path)}.{audio_format}"


def _count(stats: dict[str, float], clip: waveform.Clip, text: str) -> None:
    seconds = clip.num_samples / SAMPLING_RATE
    low, high = _USUAL_SECONDS
    stats["seconds"] += seconds
    stats["outside_1_10s"] += not low <= seconds <= high
    stats["ctc_infeasible"] += ctc_needed(text) > ctc_frames(clip.num_samples)
    stats["overdriven"] += clip.peak > waveform.OVERDRIVEN
    stats["rescaled"] += clip.is_rescaled
