"""The public functions: where corpora, modalities, the pipeline and the flat files meet.

Everything the command line does can be done from here::

    from omni_ray import api
    report = api.prepare("project", "audio", dataset="librispeech", source="LibriSpeech", combine=True)
    print(report.summaries[0].kept)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from omni_ray.api.cleaning import CleanReport, clean
from omni_ray.api.cluster import Cluster
from omni_ray.api.combining import DEFAULT_SEED, combine
from omni_ray.api.exporting import export, publish, push
from omni_ray.api.overview import quarantine, removed, status
from omni_ray.api.preparing import (
    DEFAULT_MAX_QUARANTINE,
    DEFAULT_MAX_SAMPLES,
    PrepareReport,
    download,
    prepare,
)
from omni_ray.api.reading import dataset
from omni_ray.api.synthesis import synthesize, synthesize_native

if TYPE_CHECKING:
    from omni_ray.report.page import write_report
    from omni_ray.training.plan import plan
    from omni_ray.verify import verify

_LATER = {"plan": "omni_ray.training.plan", "verify": "omni_ray.verify", "write_report": "omni_ray.report.page"}
"""Functions that bring much along, and are imported when they are asked for."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "DEFAULT_MAX_QUARANTINE",
    "DEFAULT_MAX_SAMPLES",
    "DEFAULT_SEED",
    "CleanReport",
    "Cluster",
    "PrepareReport",
    "clean",
    "combine",
    "dataset",
    "download",
    "export",
    "plan",
    "prepare",
    "publish",
    "push",
    "quarantine",
    "removed",
    "status",
    "synthesize",
    "synthesize_native",
    "verify",
    "write_report",
]
