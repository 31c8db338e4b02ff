"""The public functions: the one place where corpora, modalities, the pipeline and the flat files meet.

Everything the command line does can be done from here::

    from omni_ray import api
    report = api.prepare("project", "audio", dataset="librispeech", source="LibriSpeech", combine=True)
    print(report.summaries[0].kept)
"""

from omni_ray.api.cleaning import CleanReport, clean
from omni_ray.api.cluster import Cluster
from omni_ray.api.combining import DEFAULT_SEED, combine
from omni_ray.api.exporting import export
from omni_ray.api.overview import quarantine, removed, status
from omni_ray.api.preparing import (
    DEFAULT_MAX_QUARANTINE,
    DEFAULT_MAX_SAMPLES,
    PrepareReport,
    download,
    prepare,
)
from omni_ray.api.synthesis import synthesize, synthesize_native

__all__ = [
    "DEFAULT_MAX_QUARANTINE",
    "DEFAULT_MAX_SAMPLES",
    "DEFAULT_SEED",
    "CleanReport",
    "Cluster",
    "PrepareReport",
    "clean",
    "combine",
    "download",
    "export",
    "prepare",
    "quarantine",
    "removed",
    "status",
    "synthesize",
    "synthesize_native",
]
