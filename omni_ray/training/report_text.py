"""The plan for people, in the specification's shape: what there is, then stage by stage what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from omni_ray.training.memory import GIB

if TYPE_CHECKING:
    from omni_ray.training.plan_types import ConfigPlan
    from omni_ray.training.report import DataSet, PlanReport

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


def render(report: PlanReport) -> str:
    """The whole report, problems and changes left out."""
    return "\n".join((*_data(report), *_tokenizer(report), *_stages(report)))


def render_changes(report: PlanReport) -> str:
    """What the configurations would become, as one diff; "" where nothing changes."""
    planned = [plan.config for plan in report.plans if plan.config and not plan.problems]
    return "\n".join(filter(None, (config.diff() for config in (*planned, *report.sharers))))


def _data(report: PlanReport) -> Iterator[str]:
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
