"""Looking at the machine: what is here, what is missing, and what to do about it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from omni_ray.machine import memory, usable_cpus

_REQUIRED = ("ray", "pyarrow", "Pillow", "soundfile", "soxr", "sentencepiece", "rapidgzip", "huggingface_hub")
_HEAVY = {
    "torch": "pictures and words need it",
    "torchaudio": "only --resampler torchaudio needs it",
    "datasets": "`export hf` and `api.dataset(...).as_hf()` need it",
}
"""What a light installation (requirements-light.txt) leaves out, and what needs it."""
_GIB = 1 << 30
_MIN_DISK = 5 * _GIB
_MIN_MEMORY = 3 * _GIB


@dataclass(frozen=True)
class Probe:
    """One thing looked at: its name, whether it is as it should be, what was found, and what to do if not."""

    name: str
    ok: bool
    found: str
    advice: str = ""
    required: bool = True


def examine(root: Path) -> list[Probe]:
    """Every check, in the order in which a user would fix things. Starts nothing and writes nothing."""
    checks = [
        _python(),
        *(_package(name, f"`pip install {name}`") for name in _REQUIRED),
        *(_package(name, f"{who}: `pip install {name}`", required=False) for name, who in _HEAVY.items()),
        _sound_formats(),
        _speech(),
        _cluster_extra(),
    ]
    return [*checks, _cpus(), _memory(), _shared_memory(), _disk(root), _writable(root), _gpu()]


def _python() -> Probe:
    version = platform.python_version()
    return Probe("Python", sys.version_info >= (3, 11), version, "omni_ray needs Python 3.11 or later")


def _package(name: str, advice: str, *, required: bool = True) -> Probe:
    try:
        return Probe(name, True, metadata.version(name), required=required)
    except metadata.PackageNotFoundError:
        return Probe(name, False, "not installed", advice, required)


def _sound_formats() -> Probe:
    try:
        import soundfile

        missing = {"WAV", "FLAC", "MP3", "OGG"} - set(soundfile.available_formats())
    except (ImportError, OSError) as error:
        return Probe("audio formats", False, str(error), "reinstall soundfile")
    found = "WAV, FLAC, MP3, Ogg" if not missing else f"without {', '.join(sorted(missing))}"
    return Probe("audio formats", not missing, found, "install soundfile from PyPI, which brings a recent libsndfile")


def _speech() -> Probe:
    found = importlib.util.find_spec("espeakng_loader") is not None
    advice = "synthetic clips will be tones; `pip install omni-ray[speech]` for spoken ones"
    return Probe("synthetic speech", found, "espeak-ng" if found else "not installed", advice, required=False)


def _cluster_extra() -> Probe:
    found = importlib.util.find_spec("aiohttp_cors") is not None
    advice = "only a cluster's head node needs it: `pip install omni-ray[cluster]`"
    return Probe("Ray dashboard and jobs", found, "ray[default]" if found else "not installed", advice, required=False)


def _cpus() -> Probe:
    count = usable_cpus()
    return Probe("CPUs", count >= 1, str(count))


def _memory() -> Probe:
    total, available = memory()
    found = f"{total / _GIB:.1f} GiB, {available / _GIB:.1f} GiB free"
    return Probe("memory", total >= _MIN_MEMORY, found, "Ray and two workers want about 3 GiB")


def _shared_memory() -> Probe:
    try:
        free = shutil.disk_usage("/dev/shm").free
    except OSError:
        return Probe("/dev/shm", False, "not there", "Ray will use /tmp, which is slower", required=False)
    return Probe(
        "/dev/shm",
        free >= _GIB,
        f"{free / _GIB:.1f} GiB free",
        "give the container --shm-size=1g",
        required=False,
    )


def _existing(path: Path) -> Path:
    return next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())


def _disk(root: Path) -> Probe:
    free = shutil.disk_usage(_existing(root)).free
    return Probe(
        "disk",
        free >= _MIN_DISK,
        f"{free / _GIB:.1f} GiB free under {root.absolute()}",
        "shards and media need room",
    )


def _writable(root: Path) -> Probe:
    place = _existing(root)
    return Probe("output", os.access(place, os.W_OK), str(place), "choose a --root that can be written")


def _gpu() -> Probe:
    names = sorted(p.name for p in Path("/proc/driver/nvidia/gpus").glob("*"))
    return Probe(
        "GPU",
        bool(names),
        f"{len(names)} NVIDIA" if names else "none",
        "everything runs on CPUs",
        required=False,
    )
