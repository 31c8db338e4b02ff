"""What a plan found, decided and wrote; for people in the specification's shape: what there is, then stage by stage what follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from omni_ray.errors import DONE, FALLS_SHORT, WRONG_INPUT
from omni_ray.results import Report
from omni_ray.training.configs import Config
from omni_ray.training.counts import Counts
from omni_ray.training.data import DataFile
from omni_ray.training.memory import GIB
from omni_ray.training.plan_types import ConfigPlan
from omni_ray.training.vocabulary import Vocabulary
from omni_ray.visible import visible, visible_lines

_SECTIONS = (("Text", ("text",)), ("Image", ("images",)), ("Audio", ("asr", "tts")), ("OCR", ("ocr",)))
_SAMPLES = {
    "text": "Text samples",
    "images": "Image samples",
    "asr": "Audio samples (ASR)",
    "tts": "Audio samples (TTS)",
    "ocr": "OCR samples",
}
_TOKENS = {"text": "Text tokens", "images": "Caption tokens", "asr": "Transcription tokens"}
_NOTES = {"audio_enc": ("asr", "transcription tokens"), "vision": ("images", "caption tokens")}


@dataclass
class DataSet:
    """One file that trainers read, and what is in it."""

    file: DataFile
    counts: Counts = field(default_factory=Counts)
    problem: str = ""


@dataclass
class PlanReport(Report):
    """What was found and decided, and what was written.

    Attributes:
        data: the data sets, each file once.
        tokenizer: the tokenizer all stages share; None where no planned stage needs one.
        plans: one for each configuration asked for, in the order of training.
        sharers: configurations that are not planned, and get the ``vocab_size`` of the tokenizer they share.
        written: files, relative to the root.
        outdated: what is to be run first, because the data are not those that are prepared.
    """

    root: str
    dry_run: bool
    data: list[DataSet] = field(default_factory=list)
    tokenizer: Vocabulary | None = None
    plans: list[ConfigPlan] = field(default_factory=list)
    sharers: list[Config] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    outdated: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """Why some configurations could not be planned."""
        return [problem for plan in self.plans for problem in plan.problems]

    @property
    def exit_code(self) -> int:
        """0; 1 where a configuration could not be planned; 2 where none could."""
        if not self.problems:
            return DONE
        return FALLS_SHORT if any(not plan.problems for plan in self.plans) else WRONG_INPUT

    @property
    def shortfalls(self) -> list[str]:
        """The problems."""
        return self.problems

    @property
    def complaints(self) -> list[str]:
        """The problems, as the command prints them on standard error."""
        return [f"omni-ray: {visible(problem)}" for problem in self.problems]

    def lines(self) -> list[str]:
        """The plan stage by stage, the changes of the configurations as a diff, and the files written."""
        found: list[str] = []
        for part in (render(self), render_changes(self)):
            if part:
                found += [*visible_lines(part).split("\n"), ""]
        if self.dry_run:
            return [*found, "dry run: nothing was written"]
        return [*found, visible("written: " + ", ".join(self.written)) if self.written else "nothing was written"]

    def as_dict(self) -> dict[str, Any]:
        """What the command prints with ``--json``: every number with its rule and inputs."""
        return {
            "root": self.root,
            "dry_run": self.dry_run,
            "data": [_data_as_dict(each) for each in self.data],
            "tokenizer": self.tokenizer and {**self.tokenizer.as_dict(), "written_to": self.tokenizer.places},
            "configs": [_plan_as_dict(plan) for plan in self.plans],
            "sharers": {
                config.name: [asdict(change) for change in config.changes] for config in self.sharers if config.changes
            },
            "written": self.written,
            "outdated": self.outdated,
            "problems": self.problems,
            "exit_code": self.exit_code,
        }


def _data_as_dict(each: DataSet) -> dict[str, Any]:
    counts = each.counts.as_json()
    counts |= {"distinct_characters": len(each.counts.characters), "longest": each.counts.longest}
    del counts["characters"], counts["lengths"], counts["gaps"]
    file = each.file
    return {
        "dataset": file.dataset,
        "path": file.path,
        "origin": file.origin,
        **({"image_root": file.image_root} if file.image_root else {}),
        **counts,
        **({"problem": each.problem} if each.problem else {}),
    }


def _plan_as_dict(plan: ConfigPlan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "file": plan.file,
        "figures": {name: asdict(figure) for name, figure in plan.figures.items()},
        "changes": [asdict(change) for change in plan.changes],
        "warnings": plan.warnings,
        "problems": plan.problems,
    }


def render(report: PlanReport) -> str:
    """The whole report, problems and changes left out."""
    return "\n".join((*_data(report), *_tokenizer(report), *_stages(report)))


def render_changes(report: PlanReport) -> str:
    """What the configurations would become, as one diff; "" where nothing changes."""
    planned = [plan.config for plan in report.plans if plan.config and not plan.problems]
    return "\n".join(filter(None, (config.diff() for config in (*planned, *report.sharers))))


def _data(report: PlanReport) -> Iterator[str]:
    yield from (f"Note: {sentence}" for sentence in report.outdated)
    number = 0
    for title, datasets in _SECTIONS:
        found = [each for name in datasets for each in report.data if each.file.dataset == name]
        if not found:
            continue
        number += 1
        yield f"[{number}] Analyzing {title} Dataset..."
        if title == "Text":
            yield "  Counting tokens (this may take a while for large files)..."
        for each in found:
            yield from _data_set(each)
        yield ""


def _data_set(each: DataSet) -> Iterator[str]:
    dataset, counts = each.file.dataset, each.counts
    yield f"  {_SAMPLES[dataset]}: {counts.usable:,} (from {each.file.path})"
    if counts.tokens:
        yield f"  {_TOKENS[dataset]}: {_tokens(counts.tokens)}"
        if dataset == "text":
            yield f"  Average tokens per sample: {counts.tokens / counts.usable:.1f}"


def _tokens(count: int) -> str:
    return f"{count:,} (~{count / 1e6:.1f}M tokens)"


def _tokenizer(report: PlanReport) -> Iterator[str]:
    vocabulary = report.tokenizer
    if vocabulary is None:
        return
    yield "[Tokenizer]"
    yield f"  Vocabulary: {vocabulary.trained.pieces:,} pieces ({vocabulary.how})"
    for warning in vocabulary.warnings:
        yield f"  Note: {warning}"
    yield ""


def _stages(report: PlanReport) -> Iterator[str]:
    for plan in report.plans:
        if plan.problems:
            continue
        yield f"{plan.title} ({plan.file.rpartition('/')[2]})"
        yield from _spec_lines(report, plan)
        yield from _more_lines(plan)
        yield ""


def _spec_lines(report: PlanReport, plan: ConfigPlan) -> Iterator[str]:
    """The lines of the specification's example."""
    figures = plan.figures
    size, steps, warmup = plan.value("parameters"), plan.value("max_steps"), plan.value("warmup_steps")
    batch, accumulation = plan.value("batch_size"), plan.value("gradient_accumulation_steps")
    yield f"  Model size: {size:,} params ({size / 1e6:.2f}M)"
    yield f"  Batch size: {batch} (gradient accumulation: {accumulation}, effective: {batch * accumulation})"
    basis = " (based on samples, not tokens)"
    if "steps_rule" in figures:
        rule = figures["steps_rule"]
        if "tokens" in figures:
            yield f"  Tokens: {_tokens(plan.value('tokens'))}"
            yield f"  Tokens/step: {plan.value('tokens_per_step'):,}{'' if rule.value == 'tokens' else ' at most'}"
        if rule.value == "lines":
            yield f"  Samples: {plan.value('rows'):,}"
        basis = "" if rule.value == "tokens" else f" (based on lines, not tokens: {rule.rule})"
    else:
        yield f"  Samples: {plan.value('rows'):,}{_note(report, plan)}"
    yield f"  Steps/epoch: {plan.value('steps_per_epoch'):,}{basis}"
    yield f"  Recommended epochs: {plan.value('epochs')}"
    yield f"  Max steps: {steps:,}"
    yield f"  Warmup steps: {warmup:,} ({100 * warmup / steps:.1f}% of total)"


def _note(report: PlanReport, plan: ConfigPlan) -> str:
    dataset, what = _NOTES.get(plan.name, ("", ""))
    tokens = max((each.counts.tokens for each in report.data if each.file.dataset == dataset), default=0)
    return f" ({what}: {tokens:,})" if tokens else ""


def _more_lines(plan: ConfigPlan) -> Iterator[str]:
    figures = plan.figures
    trained, resident = plan.value("parameters"), plan.value("resident_parameters")
    if resident != trained:
        yield f"  In memory: {resident:,} params, of which {trained:,} are trained"
    needed, card = plan.value("memory_bytes") / GIB, figures["batch_size"].inputs["vram_gib"]
    yield f"  Training memory: about {needed:.1f} GiB of {card:g} GiB"
    yield f"  Rows: {plan.value('train_rows'):,} to train on, {plan.value('val_rows'):,} held out"
    if plan.value("val_freq") <= plan.value("max_steps"):
        yield f"  Validation: every {plan.value('val_freq'):,} steps, {plan.value('val_batches'):,} batches"
    else:
        yield "  Validation: never"
    if plan.value("checkpoint_freq") <= plan.value("max_steps"):
        yield f"  Checkpoints: every {plan.value('checkpoint_freq'):,} steps"
    else:
        yield "  Checkpoints: at the end"
    if "chinchilla_epochs" in figures:
        wanted = figures["chinchilla_epochs"].inputs
        yield (
            f"  Chinchilla: {wanted['optimum_tokens']:,} tokens are the optimum (20 per parameter), "
            f"{wanted['upper_tokens']:,} the upper end (200)"
        )
        yield (
            f"    an epoch learns from {wanted['tokens']:,} ({wanted['tokens_per_parameter']} per parameter): "
            f"the optimum takes {figures['chinchilla_epochs'].value:,} epochs, the upper end {wanted['upper_epochs']:,}"
        )
    for key, what in (("max_text_length", "Label length"), ("ocr_vocab_size", "Characters")):
        if key in figures:
            yield f"  {what}: {plan.value(key):,} ({figures[key].rule})"
    for warning in plan.warnings:
        yield f"  Note: {warning}"
