"""Clips, decoded to their ends: what the trainers would hear."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

from omni_ray.trainers.speech import MIN_SAMPLES, SAMPLING_RATE, ctc_frames, ctc_needed
from omni_ray.verify.media import Flaw, Judge, Verdict

MAX_SECONDS = 4 * 3600
_BLOCK = 1 << 18
_CHUNK = struct.Struct("<4sI")
_UNKNOWN_SIZES = {0, 0xFFFFFFFF}
"""What a writer that cannot go back to the header leaves in it."""


@dataclass(frozen=True)
class ClipJudge(Judge):
    """Judges clips; the text is the transcript."""

    missing: ClassVar[str] = "clip_missing"

    def judge(self, path: Path, text: str) -> Verdict:
        import numpy as np
        import soundfile

        flaws: list[Flaw] = []
        try:
            with soundfile.SoundFile(str(path)) as file:
                rate, channels, declared = int(file.samplerate), int(file.channels), int(file.frames)
                if declared > MAX_SECONDS * rate:
                    return Verdict([("clip_long", f"{declared / rate / 3600:,.0f} hours")])
                is_float = file.subtype in ("FLOAT", "DOUBLE")
                form = f"{file.format} {file.subtype}"
                frames, is_finite = 0, True
                while len(block := file.read(_BLOCK, dtype="float32" if is_float else "int16")):
                    frames += len(block)
                    is_finite = is_finite and (not is_float or bool(np.isfinite(block).all()))
        except (RuntimeError, TypeError, ValueError, OSError, MemoryError) as error:
            return Verdict([("clip_undecodable", str(error).splitlines()[0].removeprefix("Error : "))])
        if frames < declared or _wav_is_cut(path):
            flaws.append(("clip_truncated", f"{frames:,} samples are there"))
        if not is_finite:
            flaws.append(("clip_not_finite", ""))
        if rate != SAMPLING_RATE:
            flaws.append(("clip_rate", f"{rate:,} Hz"))
        if channels != 1:
            flaws.append(("clip_channels", f"{channels} channels"))
        samples = frames * SAMPLING_RATE // rate
        if samples < MIN_SAMPLES:
            flaws.append(("clip_short", f"{samples} samples"))
        elif not flaws and ctc_needed(text.strip()) > ctc_frames(samples):
            flaws.append(("ctc_infeasible", f"{len(text.strip())} characters in {samples / SAMPLING_RATE:.2f} s"))
        if form not in ("FLAC PCM_16", "WAV PCM_16", "WAVEX PCM_16", "FLAC PCM_S8", "FLAC PCM_24"):
            flaws.append(("clip_format", form))
        return Verdict(flaws, True, {"samples": samples})


def _wav_is_cut(path: Path) -> bool:
    """Whether a RIFF file ends before its data chunk does. libsndfile reads such a file without a word."""
    with open(path, "rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return False
        end = file.seek(0, 2)
        file.seek(12)
        return any(
            name == b"data" and size not in _UNKNOWN_SIZES and start + size > end for name, start, size in _chunks(file)
        )


def _chunks(file: BinaryIO) -> list[tuple[bytes, int, int]]:
    """Name, start and size of each RIFF chunk up to the data."""
    chunks: list[tuple[bytes, int, int]] = []
    while len(head := file.read(_CHUNK.size)) == _CHUNK.size and len(chunks) < 64:
        name, size = _CHUNK.unpack(head)
        chunks.append((name, file.tell(), size))
        if name == b"data":
            break
        file.seek(size + size % 2, 1)
    return chunks
