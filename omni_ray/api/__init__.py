"""The public functions: where corpora, modalities, the pipeline and the flat files meet.

Everything the command line does can be done from here::

    from omni_ray import api
    report = api.prepare("project", "audio", dataset="librispeech", source="LibriSpeech", combine=True)
    print(report.summaries[0].kept)
"""

from typing import TYPE_CHECKING

from omni_ray.later import later

if TYPE_CHECKING:
    from omni_ray.api.cleaning import CleanReport, clean
    from omni_ray.api.cluster import Cluster
    from omni_ray.api.combining import combine
    from omni_ray.api.exporting import export, publish, push
    from omni_ray.api.options import PrepareOptions
    from omni_ray.api.overview import quarantine, removed, status
    from omni_ray.api.planning import plan, train_tokenizer, write_report
    from omni_ray.api.prepare_report import PrepareReport
    from omni_ray.api.preparing import download, prepare
    from omni_ray.api.reading import dataset
    from omni_ray.api.rehearsing import rehearse
    from omni_ray.api.synthesis import synthesize, synthesize_native
    from omni_ray.api.verifying import verify
    from omni_ray.quality.listed import rules

_HOMES = {
    "omni_ray.api.cleaning": ("CleanReport", "clean"),
    "omni_ray.api.cluster": ("Cluster",),
    "omni_ray.api.combining": ("combine",),
    "omni_ray.api.exporting": ("export", "publish", "push"),
    "omni_ray.api.overview": ("quarantine", "removed", "status"),
    "omni_ray.api.options": ("PrepareOptions",),
    "omni_ray.api.planning": ("plan", "train_tokenizer", "write_report"),
    "omni_ray.api.prepare_report": ("PrepareReport",),
    "omni_ray.api.preparing": ("download", "prepare"),
    "omni_ray.api.reading": ("dataset",),
    "omni_ray.api.rehearsing": ("rehearse",),
    "omni_ray.api.synthesis": ("synthesize", "synthesize_native"),
    "omni_ray.api.verifying": ("verify",),
    "omni_ray.quality.listed": ("rules",),
}
"""Where each name lies. The command line imports this package at once, and with its help and lists nothing heavy."""

__getattr__ = later(__name__, _HOMES)


def __dir__() -> list[str]:
    return [*globals(), *__all__]


__all__ = [
    "CleanReport",
    "Cluster",
    "PrepareOptions",
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
    "rehearse",
    "removed",
    "rules",
    "status",
    "synthesize",
    "synthesize_native",
    "train_tokenizer",
    "verify",
    "write_report",
]
