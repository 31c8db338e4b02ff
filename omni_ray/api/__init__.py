"""The public functions: where corpora, modalities, the pipeline and the flat files meet.

Everything the command line does can be done from here::

    from omni_ray import api
    report = api.prepare("project", "audio", dataset="librispeech", source="LibriSpeech", combine=True)
    print(report.summaries[0].kept)
"""

from typing import TYPE_CHECKING

from omni_ray.later import later

if TYPE_CHECKING:
    from omni_ray.api.cleaning import CleanReport as CleanReport
    from omni_ray.api.cleaning import clean as clean
    from omni_ray.api.cluster import Cluster as Cluster
    from omni_ray.api.combine_report import CombineReport as CombineReport
    from omni_ray.api.combining import combine as combine
    from omni_ray.api.downloading import download as download
    from omni_ray.api.exporting import PushReport as PushReport
    from omni_ray.api.exporting import export as export
    from omni_ray.api.exporting import publish as publish
    from omni_ray.api.exporting import push as push
    from omni_ray.api.options import CleanOptions as CleanOptions
    from omni_ray.api.options import CombineOptions as CombineOptions
    from omni_ray.api.options import ExportOptions as ExportOptions
    from omni_ray.api.options import PlanOptions as PlanOptions
    from omni_ray.api.options import PrepareOptions as PrepareOptions
    from omni_ray.api.options import PublishOptions as PublishOptions
    from omni_ray.api.options import ReportOptions as ReportOptions
    from omni_ray.api.options import SynthesisOptions as SynthesisOptions
    from omni_ray.api.options import TokenizerOptions as TokenizerOptions
    from omni_ray.api.options import VerifyOptions as VerifyOptions
    from omni_ray.api.overview import StatusReport as StatusReport
    from omni_ray.api.overview import quarantine as quarantine
    from omni_ray.api.overview import removed as removed
    from omni_ray.api.overview import status as status
    from omni_ray.api.planning import PageReport as PageReport
    from omni_ray.api.planning import plan as plan
    from omni_ray.api.planning import train_tokenizer as train_tokenizer
    from omni_ray.api.planning import write_report as write_report
    from omni_ray.api.prepare_report import PrepareReport as PrepareReport
    from omni_ray.api.preparing import prepare as prepare
    from omni_ray.api.reading import dataset as dataset
    from omni_ray.api.rehearsing import rehearse as rehearse
    from omni_ray.api.synthesis import NativeReport as NativeReport
    from omni_ray.api.synthesis import synthesize as synthesize
    from omni_ray.api.synthesis import synthesize_native as synthesize_native
    from omni_ray.api.verifying import verify as verify
    from omni_ray.export.publish import PublishReport as PublishReport
    from omni_ray.export.run import ExportReport as ExportReport
    from omni_ray.quality.listed import rules as rules
    from omni_ray.records import SourceOptions as SourceOptions
    from omni_ray.results import Report as Report
    from omni_ray.results import Sentences as Sentences
    from omni_ray.synth.tiny import TinyReport as TinyReport
    from omni_ray.training.report import PlanReport as PlanReport
    from omni_ray.training.vocabulary import TokenizerReport as TokenizerReport
    from omni_ray.verify.report import VerifyReport as VerifyReport

__getattr__, __all__ = later(__name__)
"""Each comes from where it is said above, when it is asked for: the command line's help and lists need nothing heavy."""


def __dir__() -> list[str]:
    return [*globals(), *__all__]
