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
    from omni_ray.api.combine_report import CombineReport
    from omni_ray.api.combining import combine
    from omni_ray.api.downloading import download
    from omni_ray.api.exporting import PushReport, export, publish, push
    from omni_ray.api.options import (
        CleanOptions,
        CombineOptions,
        ExportOptions,
        PlanOptions,
        PrepareOptions,
        PublishOptions,
        ReportOptions,
        SynthesisOptions,
        TokenizerOptions,
        VerifyOptions,
    )
    from omni_ray.api.overview import StatusReport, quarantine, removed, status
    from omni_ray.api.planning import PageReport, plan, train_tokenizer, write_report
    from omni_ray.api.prepare_report import PrepareReport
    from omni_ray.api.preparing import prepare
    from omni_ray.api.reading import dataset
    from omni_ray.api.rehearsing import rehearse
    from omni_ray.api.synthesis import NativeReport, synthesize, synthesize_native
    from omni_ray.api.verifying import verify
    from omni_ray.export.publish import PublishReport
    from omni_ray.export.run import ExportReport
    from omni_ray.quality.listed import rules
    from omni_ray.records import SourceOptions
    from omni_ray.results import Report, Sentences
    from omni_ray.synth.tiny import TinyReport
    from omni_ray.training.report import PlanReport
    from omni_ray.training.vocabulary import TokenizerReport
    from omni_ray.verify.report import VerifyReport

_HOMES = {
    "omni_ray.api.cleaning": ("CleanReport", "clean"),
    "omni_ray.api.cluster": ("Cluster",),
    "omni_ray.api.combine_report": ("CombineReport",),
    "omni_ray.api.combining": ("combine",),
    "omni_ray.api.downloading": ("download",),
    "omni_ray.api.exporting": ("PushReport", "export", "publish", "push"),
    "omni_ray.api.overview": ("StatusReport", "quarantine", "removed", "status"),
    "omni_ray.api.options": (
        "CleanOptions",
        "CombineOptions",
        "ExportOptions",
        "PlanOptions",
        "PrepareOptions",
        "PublishOptions",
        "ReportOptions",
        "SynthesisOptions",
        "TokenizerOptions",
        "VerifyOptions",
    ),
    "omni_ray.api.planning": ("PageReport", "plan", "train_tokenizer", "write_report"),
    "omni_ray.api.prepare_report": ("PrepareReport",),
    "omni_ray.api.preparing": ("prepare",),
    "omni_ray.api.reading": ("dataset",),
    "omni_ray.api.rehearsing": ("rehearse",),
    "omni_ray.api.synthesis": ("NativeReport", "synthesize", "synthesize_native"),
    "omni_ray.api.verifying": ("verify",),
    "omni_ray.export.publish": ("PublishReport",),
    "omni_ray.export.run": ("ExportReport",),
    "omni_ray.quality.listed": ("rules",),
    "omni_ray.records": ("SourceOptions",),
    "omni_ray.results": ("Report", "Sentences"),
    "omni_ray.synth.tiny": ("TinyReport",),
    "omni_ray.training.report": ("PlanReport",),
    "omni_ray.training.vocabulary": ("TokenizerReport",),
    "omni_ray.verify.report": ("VerifyReport",),
}
"""Where each name is defined. The command line imports this package at once; its help and lists need nothing heavy."""

__getattr__ = later(__name__, _HOMES)


def __dir__() -> list[str]:
    return [*globals(), *__all__]


__all__ = [
    "CleanOptions",
    "CleanReport",
    "Cluster",
    "CombineOptions",
    "CombineReport",
    "ExportOptions",
    "ExportReport",
    "NativeReport",
    "PageReport",
    "PlanOptions",
    "PlanReport",
    "PrepareOptions",
    "PrepareReport",
    "PublishOptions",
    "PublishReport",
    "PushReport",
    "Report",
    "ReportOptions",
    "Sentences",
    "SourceOptions",
    "StatusReport",
    "SynthesisOptions",
    "TinyReport",
    "TokenizerOptions",
    "TokenizerReport",
    "VerifyOptions",
    "VerifyReport",
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
