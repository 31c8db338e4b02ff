"""Speech clips to 16 kHz mono FLAC: ours, the peers and the limit, in turn, on the same files.

    python -m benchmarks.audio [--audio FOLDER] [--count 1024] [--rounds 5] [--clock cpu] [--json]

For every kind of clip there is (rate and format) first in one process: the function alone, from an encoded file to a
row, in CPU seconds, where its time goes, and what each FLAC level costs and saves. Then by two processes, warm, from
files to files: ours through Ray to committed shards, the same functions in a bare pool, soundfile with soxr and with
torchaudio as people write them (torchaudio with its "kaiser best" filter, which is as good as soxr's, and its kernel
cached), lhotse cut by cut, and the limit: decoding and encoding, nothing else. Every side's clips are counted, and a
sample is compared with ours.

``FOLDER`` holds clips; they are repeated with distinct shifts. Without it, some are made up.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import soundfile
import soxr

from benchmarks import clips
from benchmarks.files import Files, ToFile, to_file, warm_up
from benchmarks.rounds import Row, compare, run
from omni_ray.corpora.audio_files import AudioFiles
from omni_ray.modalities import waveform
from omni_ray.modalities.audio import Audio, AudioParams
from omni_ray.pipeline.stages import raw_table
from omni_ray.trainers.speech import SAMPLING_RATE

IN_FUNCTION = 96
"""Clips of a round in one process."""
BUDGETS = {"soundfile + soxr": 1.0, "lhotse": 3.0, "limit: decode, encode": 0.8}
LEVELS = (0, 3, 5, 6, 8)
"""libFLAC's; 5 is its default and ours. 1 and 2 differ from 0 in stereo only."""
ALIKE_BELOW, NOISE = 7000, 0.03
"""Hz up to which filters are compared, and how far others may be from ours there, as a share of the level: lhotse's
short filter is 1.3 % off, the others less than 0.1 %."""
AUDIO = Audio()


def soundfile_soxr(data: bytes) -> bytes:
    """As people write it."""
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    if samples.ndim > 1:
        samples = samples.mean(axis=1)
    if rate != SAMPLING_RATE:
        samples = soxr.resample(samples, rate, SAMPLING_RATE, quality="HQ")
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLING_RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def soundfile_torchaudio(data: bytes) -> bytes:
    """The same with torchaudio's resampler."""
    import torch

    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    with torch.inference_mode():
        mono = torch.from_numpy(samples).mean(dim=1)
        made = _kaiser(rate)(mono).numpy() if rate != SAMPLING_RATE else mono.numpy()
    buffer = io.BytesIO()
    soundfile.write(buffer, made, SAMPLING_RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


@cache
def _kaiser(rate: int) -> Any:
    from torchaudio.transforms import Resample

    return Resample(
        rate, SAMPLING_RATE, resampling_method="sinc_interp_kaiser", lowpass_filter_width=64,
        rolloff=0.9475937167399596, beta=14.769656459379492,
    )  # fmt: skip


def lhotse(path: Path, folder: Path) -> Path:
    """A cut resampled and saved, as lhotse's ``save_audios`` does for every cut."""
    from lhotse import Recording

    made = folder / f"{path.stem}.flac"
    Recording.from_file(path).resample(SAMPLING_RATE).to_cut().save_audio(made)
    return made


def limit(data: bytes) -> bytes:
    """What nobody can leave out: decoding, and encoding as many samples as asked."""
    with waveform.opened(data) as file:
        rate = file.rate
        blocks = [block[:, 0].copy() for block in file.blocks]
    samples = np.concatenate(blocks)
    places = np.linspace(0, len(samples) - 1, len(samples) * SAMPLING_RATE // rate).astype(np.int64)
    return waveform.encode(iter([samples[places]]), SAMPLING_RATE, "flac")[0]


def ours(raw: pa.Table) -> pa.Table:
    return AUDIO.transform(raw, "clips", AudioParams()).kept


def in_function(files: Files, rounds: int, with_lhotse: bool) -> list[Row]:
    """One process, CPU seconds: the function from bytes to rows, and its parts."""
    paths = files.paths[:IN_FUNCTION]
    data = [path.read_bytes() for path in paths]
    raw = _raw(paths)
    made = [row["bytes"] for row in ours(raw)["audio"].to_pylist()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides: dict[str, Callable[[], Any]] = {
            "ours": lambda: ours(raw),
            "soundfile + soxr": lambda: [soundfile_soxr(each) for each in data],
            "soundfile + torchaudio": lambda: [soundfile_torchaudio(each) for each in data],
            "limit: decode, encode": lambda: [limit(each) for each in data],
        }
        if with_lhotse:
            sides["lhotse"] = lambda: [lhotse(path, folder) for path in paths]
        task = f"{files.name}, in the function"
        found = compare(task, len(data), "clips", sides, rounds=rounds, clock="cpu", budgets=BUDGETS)
    return found + _steps(files, data, rounds) + _levels(files.name, made, rounds)


def _steps(files: Files, data: list[bytes], rounds: int) -> list[Row]:
    rate = soundfile.info(str(files.paths[0])).samplerate
    decoded = [_decode(each) for each in data]
    mono = [_mono(blocks) for blocks in decoded]
    turned = [list(waveform.resampled(iter(each), rate, SAMPLING_RATE, "soxr")) for each in mono]
    steps: dict[str, Callable[[], Any]] = {
        "decode": lambda: [_drain(each) for each in data],
        "check and downmix": lambda: [_mono(each) for each in decoded],
        "resample": lambda: [list(waveform.resampled(iter(each), rate, SAMPLING_RATE, "soxr")) for each in mono],
        "encode": lambda: [waveform.encode(iter(each), SAMPLING_RATE, "flac") for each in turned],
    }
    return files.stages(steps, len(data), rounds)


def _drain(data: bytes) -> None:
    with waveform.opened(data) as file:
        for _ in file.blocks:
            pass


def _decode(data: bytes) -> list[npt.NDArray[Any]]:
    with waveform.opened(data) as file:
        return [block.copy() for block in file.blocks]


def _mono(blocks: list[npt.NDArray[Any]]) -> list[waveform.Samples]:
    return list(map(waveform.Downmix(), blocks))


def _levels(kind: str, made: list[bytes], rounds: int) -> list[Row]:
    samples = [soundfile.read(io.BytesIO(each), dtype="int16")[0] for each in made]
    pcm = 2 * sum(map(len, samples))

    def encode(level: int) -> int:
        size = 0
        for each in samples:
            buffer = io.BytesIO()
            soundfile.write(buffer, each, SAMPLING_RATE, format="FLAC", compression_level=level / 8)
            size += buffer.getbuffer().nbytes
        return size

    sides = {f"level {level}: {encode(level) / pcm:.1%} of PCM": partial(encode, level) for level in LEVELS}
    return compare(f"{kind}, FLAC", len(made), "clips", sides, rounds=rounds, clock="cpu")


def by_processes(files: Files, rounds: int, clock: str, with_lhotse: bool) -> list[Row]:
    """Two warm processes, from files to files."""
    functions = {
        "soundfile + soxr": soundfile_soxr,
        "soundfile + torchaudio": soundfile_torchaudio,
        "limit: decode, encode": limit,
    }
    others: dict[str, ToFile] = {name: partial(to_file, each, ".flac") for name, each in functions.items()}
    if with_lhotse:
        others["lhotse"] = _lhotse_file
    return files.by_processes(others, {}, BUDGETS, rounds, clock)


def _lhotse_file(folder: Path, path: Path) -> bool:
    return lhotse(path, folder).stat().st_size > 0


def _raw(files: Sequence[Path]) -> pa.Table:
    return raw_table(
        [
            {"id": f.stem, "where": f.name, "audio": f.read_bytes(), "path": f.name, "text": "a clip", "speaker": None}
            for f in files
        ],
        AUDIO.raw_schema,
    )


def check_results(files: Sequence[Path]) -> bool:
    """End where a side does not make the clips that ours makes; tell whether lhotse is here and does.

    It may not: of MP3 files it makes as many samples as their header estimates, and fills in what is missing.
    """
    made = [row["bytes"] for row in ours(_raw(files))["audio"].to_pylist()]
    for name, function in (("soundfile + soxr", soundfile_soxr), ("soundfile + torchaudio", soundfile_torchaudio)):
        difference = _difference(made, (function(path.read_bytes()) for path in files))
        if difference:
            raise SystemExit(f"{name}: {difference}")
    if find_spec("lhotse") is None:
        print("lhotse is not installed (pip install 'omni-ray[bench]'): left out", file=sys.stderr)
        return False
    with tempfile.TemporaryDirectory() as folder:
        difference = _difference(made, (lhotse(path, Path(folder)).read_bytes() for path in files))
    if difference:
        print(f"lhotse is left out: {difference}", file=sys.stderr)
    return not difference


def _difference(some: Sequence[bytes], others: Iterator[bytes]) -> str:
    """What is not the same length within a sample, or the same spectrum, phase and all, as far as filters are flat."""
    for one, other in zip(some, others, strict=True):
        (first, rate), (second, other_rate) = (soundfile.read(io.BytesIO(each)) for each in (one, other))
        if not rate == other_rate == SAMPLING_RATE or abs(len(first) - len(second)) > 1 or second.ndim != 1:
            return f"{len(second)} samples at {other_rate} Hz instead of {len(first)}"
        length = min(len(first), len(second))
        low = slice(length * ALIKE_BELOW // SAMPLING_RATE)
        mine, theirs = (np.fft.rfft(samples[:length])[low] for samples in (first, second))
        off = float(np.linalg.norm(mine - theirs) / np.linalg.norm(mine))
        if off > NOISE:
            return f"{off:.2%} off"
    return ""


def rows(
    audio: Path | None = None, count: int = 1024, rounds: int = 5, clock: Literal["wall", "cpu"] = "wall"
) -> list[Row]:
    """Every comparison, for every kind of clip.

    Args:
        audio: a folder of clips; None makes some up.
        count: how many clips the processes turn.
        clock: of the comparison of processes: "wall", or "cpu" where other work disturbs it.
    """
    warm_up()
    kinds = clips.by_kind(audio)
    print(clips.summary(kinds), file=sys.stderr)
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as where:
        for number, (kind, some) in enumerate(kinds.items()):
            here = Path(where) / str(number) / "clips"
            files = Files(kind, "clips", clips.write(here, some, count), AudioFiles())
            with_lhotse = check_results(files.paths[:16])
            found += in_function(files, rounds, with_lhotse) + by_processes(files, rounds, clock, with_lhotse)
            shutil.rmtree(here.parent)
    return found


if __name__ == "__main__":
    run(rows, __doc__)
