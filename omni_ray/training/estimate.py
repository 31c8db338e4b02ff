"""The plan of each training run: a pure function of its configuration, what there is to train on, and the card.

Nothing here reads or writes files, so it runs as well in a task on a cluster as in a test.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omni_ray.trainers.speech import MEL_HOP, SAMPLING_RATE
from omni_ray.trainers.split import batches, rows_by_worker
from omni_ray.training import schedule
from omni_ray.training.advice import MAX_LABEL, stops, warnings
from omni_ray.training.clips import ClipSurvey
from omni_ray.training.configs import Config
from omni_ray.training.counts import Counts
from omni_ray.training.data import KEYS, ROOT_KEYS
from omni_ray.training.memory import GIB, LENGTHS_OF, Lengths, Memory, activations, largest_batch, memory
from omni_ray.training.model_sizes import (
    DEFAULTS,
    ModelSize,
    audio_size,
    ocr_size,
    sft_size,
    talker_size,
    thinker_size,
    vision_size,
    vocoder_size,
)
from omni_ray.training.plan_types import ConfigPlan, Inputs
from omni_ray.training.schedule import Figure
from omni_ray.training.skipped_rows import Gap, numbers_in
from omni_ray.training.vocabulary import share

EFFECTIVE_BATCH = {
    "thinker": 8, "vision": 8, "audio_enc": 4, "talker": 4, "omni_sft": 16, "ocr": 8, "vocoder": 8,
}  # fmt: skip
"""Samples an optimizer step learns from, before memory and data are looked at."""
CTC_SPECIAL, OCR_SPECIAL, OCR_MARKS = 2, 4, 2
VOCODER_CROP = 8192
_MEL_STEP = 256
_CODE_HOP, _VOCODER_HOP = 1280, 256
_UNKNOWN_SECONDS = 20


def estimate(inputs: Inputs) -> ConfigPlan:
    """Plan one training run."""
    config = deepcopy(inputs.config)
    plan = ConfigPlan(config.name, config)
    _point_at_data(plan, config, inputs)
    plan.problems += [f"{plan.file}: {sentence}" for sentence in stops(plan.name, inputs)]
    samples = max((_samples(plan.name, each, inputs.clips) for each in inputs.counts.values()), key=lambda s: s.count)
    if samples.count == 0:
        paths = ", ".join(file.path for file in inputs.files.values())
        plan.problems.append(f"{plan.file}: no data: {paths} holds no usable row")
    if plan.problems:
        return plan
    _fit_longest_clip(plan, config, inputs)
    lengths = _lengths(config, inputs)
    size = _size(config, inputs, lengths)
    plan.figures |= _size_figures(size)
    _batch(plan, config, inputs, size, lengths, samples)
    if plan.problems:
        return plan
    _steps(plan, config, inputs, samples.count)
    _write(plan, config, inputs, lengths)
    plan.warnings += warnings(config, inputs)
    return plan


@dataclass(frozen=True)
class _Samples:
    """What a trainer makes of a file's ``rows`` rows: ``count`` samples, and nothing of those in ``gaps``."""

    rows: int
    count: int
    gaps: tuple[Gap, ...] = ()


def _samples(name: str, counts: Counts, clips: ClipSurvey | None) -> _Samples:
    if name == "omni_sft":
        # It puts a stock sentence where a line is blank, and passes over a file that is not there.
        return _Samples(counts.rows, counts.rows)
    dropped = clips.dropped if clips else ()
    lost = sum(len(numbers) for numbers in numbers_in(dropped))
    return _Samples(counts.rows, counts.usable - lost, (*counts.gaps, *dropped))


def _point_at_data(plan: ConfigPlan, config: Config, inputs: Inputs) -> None:
    for dataset, file in inputs.files.items():
        config.set(KEYS[plan.name][dataset], file.path, f"{file.origin} data")
        if dataset in ROOT_KEYS.get(plan.name, {}):
            config.set(ROOT_KEYS[plan.name][dataset], file.image_root, f"where the images of {file.path} are")
        if file.origin == "shards":
            plan.warnings.append(f"{file.path} is still to be made: run `omni-ray combine` before training")


# --- size ---


def _fit_longest_clip(plan: ConfigPlan, config: Config, inputs: Inputs) -> None:
    """Pad speech to the longest clip: the transcript of a cut clip stays whole, and CTC would learn something wrong."""
    if plan.name != "audio_enc" or inputs.clips is None or not inputs.clips.longest:
        return
    longest = inputs.clips.longest
    which = (
        "the longest clip"
        if inputs.clips.is_longest_of_all
        else f"the longest of {inputs.clips.looked_at:,} clips out of {inputs.clips.rows:,}; a longer one is cut"
    )
    frames = Figure(
        -(-(1 + longest // MEL_HOP) // _MEL_STEP) * _MEL_STEP,
        f"frames rounded up to {_MEL_STEP}, of {which}",
        {"longest_samples": longest, "hop": MEL_HOP},
    )
    _put(plan, config, "max_mel_length", frames)


def _put(plan: ConfigPlan, config: Config, key: str, figure: Figure) -> None:
    plan.figures[key] = figure
    config.set(key, figure.value, figure.rule)


def _lengths(config: Config, inputs: Inputs) -> Lengths:
    """How long the padded samples will be; 20 s where no clip could be looked at."""
    clips = inputs.clips
    unknown = _UNKNOWN_SECONDS * SAMPLING_RATE

    def padded(hop: int) -> int:
        percent = float(config.get("max_mel_length_percentile", 95.0))
        samples = (clips.percentile(percent) if clips else 0) or unknown
        return int(config.get("max_mel_length", -(-(1 + samples // hop) // _MEL_STEP) * _MEL_STEP))

    asr, ocr = inputs.counts.get("asr", Counts()), inputs.counts.get("ocr", Counts())
    return Lengths(
        mel_frames=padded(MEL_HOP),
        code_frames=padded(_CODE_HOP),
        audio_samples=_crop(config)[0],
        label=min(max(1, ocr.longest), MAX_LABEL) + OCR_MARKS,
        ctc_vocab=int(config.get("ctc_vocab_size", CTC_SPECIAL + len(asr.characters))),
        ocr_vocab=OCR_SPECIAL + len(ocr.characters),
    )


def _crop(config: Config) -> tuple[int, int]:
    """Samples and mel frames of the crops a vocoder learns from; each follows from the other where one is absent."""
    samples, frames = config.get("max_audio_length"), config.get("max_mel_length")
    if samples is None:
        samples = VOCODER_CROP if frames is None else max(1, int(frames) - 1) * _VOCODER_HOP
    return int(samples), int(1 + samples // _VOCODER_HOP if frames is None else frames)


def _size(config: Config, inputs: Inputs, lengths: Lengths) -> ModelSize:
    values = config.values
    if config.name in ("thinker", "vision", "omni_sft"):
        share(config, inputs.pieces, has_weights=inputs.has_weights)
    if config.name == "thinker":
        return thinker_size(values)
    if config.name == "audio_enc":
        return audio_size(values, lengths.ctc_vocab)
    if config.name == "vision":
        return vision_size(values, inputs.pieces)
    if config.name == "talker":
        return talker_size(values)
    if config.name == "omni_sft":
        return sft_size(values, inputs.others["audio_enc"], inputs.others["vision"])
    if config.name == "ocr":
        return ocr_size(values, lengths.ocr_vocab)
    return vocoder_size(values)


def _size_figures(size: ModelSize) -> dict[str, Figure]:
    parts = dict(size.parts)
    return {
        "parameters": Figure(size.trained, "sum of the trained parts, exact", parts),
        "resident_parameters": Figure(size.resident, "sum of all parts in memory, exact", parts),
    }


# --- batch ---


@dataclass(frozen=True)
class _Fit:
    """How large a batch can be.

    Attributes:
        wanted: the effective batch.
        fitting: as far as memory goes.
        trainable: as far as training rows fill one.
        batch: as far as validation rows do, too, if they can.
        one: activations of one sample.
        used: memory of a batch.
        train, val: rows of each worker (int64, one a worker).
        drop_last: whether batches must be full.
    """

    wanted: int
    fitting: int
    trainable: int
    batch: int
    one: int
    used: Memory
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    drop_last: bool


def _fit(
    plan: ConfigPlan, config: Config, inputs: Inputs, size: ModelSize, lengths: Lengths, samples: _Samples
) -> _Fit:
    wanted = EFFECTIVE_BATCH[plan.name]
    vram = int(inputs.options.vram_gib * GIB)
    one = activations(plan.name, config.values, lengths, inputs.others)

    def needs(batch: int) -> Memory:
        return memory(size, one * batch, all_have_gradients=plan.name == "omni_sft")

    fitting = largest_batch(wanted, lambda many: needs(many).total <= vram)
    drop_last = bool(config.get("drop_last", True))
    train, val = rows_by_worker(
        samples.rows, seed=int(config.get("seed", 42)), val_split=float(config.get("val_split", 0.1)),
        num_workers=int(config.get("num_workers", 2)), without=numbers_in(samples.gaps),
    )  # fmt: skip
    trainable = largest_batch(fitting, lambda many: batches(train, many, drop_last) > 0)
    batch = largest_batch(trainable, lambda many: batches(val, many, drop_last) > 0)
    if not batches(val, batch, drop_last):
        batch = trainable  # there is no validation at any size
    return _Fit(wanted, fitting, trainable, batch, one, needs(batch), train, val, drop_last)


def _batch(
    plan: ConfigPlan, config: Config, inputs: Inputs, size: ModelSize, lengths: Lengths, samples: _Samples
) -> None:
    """Batch size and accumulation: the effective batch, as far as memory and rows allow."""
    fit = _fit(plan, config, inputs, size, lengths, samples)
    if not batches(fit.train, fit.batch, fit.drop_last):
        plan.problems.append(f"{plan.file}: {samples.count:,} rows leave none for training; prepare more data")
        return
    plan.figures |= _row_figures(plan, config, inputs, samples, fit) | _batch_figures(plan, inputs, size, lengths, fit)
    plan.warnings += _shortages(fit, inputs.options.vram_gib)


def _row_figures(plan: ConfigPlan, config: Config, inputs: Inputs, samples: _Samples, fit: _Fit) -> dict[str, Figure]:
    workers = int(config.get("num_workers", 2))
    dealt = {
        "rows": samples.rows, "samples": samples.count, "seed": int(config.get("seed", 42)),
        "val_split": float(config.get("val_split", 0.1)), "num_workers": workers,
    }  # fmt: skip
    dealt_out = {"batch_size": fit.batch, "num_workers": workers, "drop_last": fit.drop_last}
    return {
        "rows": Figure(
            samples.count,
            "rows that become samples; of several data sets, those of the longest",
            {dataset: _samples(plan.name, each, inputs.clips).count for dataset, each in inputs.counts.items()},
        ),
        "train_rows": Figure(int(fit.train.sum()), "samples whose rows are not held out", dealt),
        "val_rows": Figure(
            int(fit.val.sum()), "samples whose rows have hash((row, seed)) % 100 < val_split * 100", dealt
        ),
        "train_batches": Figure(
            batches(fit.train, fit.batch, fit.drop_last), "each worker's rows in batches",
            {"rows_by_worker": fit.train.tolist(), **dealt_out},
        ),
        "val_batches": Figure(
            batches(fit.val, fit.batch, fit.drop_last), "each worker's rows in batches",
            {"rows_by_worker": fit.val.tolist(), **dealt_out},
        ),
    }  # fmt: skip


def _batch_figures(plan: ConfigPlan, inputs: Inputs, size: ModelSize, lengths: Lengths, fit: _Fit) -> dict[str, Figure]:
    options, accumulation = inputs.options, 1
    if options.allow_accumulation:
        accumulation = min(fit.wanted // fit.batch, batches(fit.train, fit.batch, fit.drop_last))
    return {
        "batch_size": Figure(
            fit.batch,
            "effective batch, halved until it fits the card, until training rows fill one, and until validation rows "
            "do if they can",
            {
                "effective": fit.wanted, "fits_memory": fit.fitting, "fills_training": fit.trainable,
                "vram_gib": options.vram_gib,
            },
        ),
        "gradient_accumulation_steps": Figure(
            accumulation,
            "effective // batch_size" if options.allow_accumulation else "1: the trainers do not learn at any other",
            {"effective": fit.wanted, "batch_size": fit.batch},
        ),
        "memory_bytes": Figure(
            fit.used.total,
            "4 B * resident + 4 B * gradients + 8 B * trained (AdamW) + activations_of_one * batch_size + reserve",
            {
                **vars(fit.used), "resident_parameters": size.resident, "trained_parameters": size.trained,
                "batch_size": fit.batch, "activations_of_one": fit.one,
                **{name: getattr(lengths, name) for name in LENGTHS_OF[plan.name]},
            },
        ),
    }  # fmt: skip


def _shortages(fit: _Fit, vram_gib: float) -> list[str]:
    """What a user should know about a batch that is smaller than wanted."""
    found = []
    if fit.used.total > int(vram_gib * GIB):
        found.append(
            f"needs about {fit.used.total / GIB:.1f} GiB even at batch size {fit.batch}; --vram is {vram_gib:g}"
        )
    elif fit.fitting < fit.wanted:
        found.append(f"batch size {fit.fitting} instead of {fit.wanted}, to fit into {vram_gib:g} GiB")
    if fit.batch < fit.fitting:
        few, rows = ("training", fit.train) if fit.batch == fit.trainable else ("validation", fit.val)
        found.append(
            f"batch size {fit.batch} instead of {fit.fitting}: {int(rows.sum()):,} {few} rows would not fill more"
        )
    return found


# --- steps ---


def _steps(plan: ConfigPlan, config: Config, inputs: Inputs, rows: int) -> None:
    batch, accumulation = plan.value("batch_size"), plan.value("gradient_accumulation_steps")
    by_rows = schedule.steps_per_epoch_by_rows(
        plan.value("train_batches"), plan.value("train_rows"), batch, accumulation
    )
    per_epoch, epochs = by_rows, schedule.epochs(rows, "samples")
    if plan.name in ("thinker", "omni_sft"):
        per_epoch, epochs = _text_steps(plan, config, inputs, rows, by_rows)
    steps = schedule.max_steps(per_epoch.value, epochs.value)
    can_validate = plan.value("val_batches") > 0
    checkpoints = schedule.checkpoint_frequency(per_epoch.value)
    if plan.name == "ocr":
        checkpoints = schedule.never(steps.value, "the OCR trainer cannot save between")
    plan.figures |= {
        "steps_per_epoch": per_epoch,
        "epochs": epochs,
        "max_steps": steps,
        "max_epochs": schedule.max_epochs(steps.value, plan.value("train_batches"), epochs.value, accumulation),
        "warmup_steps": schedule.warmup(steps.value),
        "val_freq": schedule.validation_frequency(per_epoch.value, steps.value, can_validate),
        "checkpoint_freq": checkpoints,
    }
    if not can_validate:
        plan.warnings.append(f"never validates: {plan.value('val_rows'):,} rows held out fill no batch")


def _text_steps(plan: ConfigPlan, config: Config, inputs: Inputs, rows: int, by_rows: Figure) -> tuple[Figure, Figure]:
    """Steps and epochs of the two stages that learn text."""
    options, counts = inputs.options, inputs.counts["text"]
    tokens = counts.tokens if options.assumed_tokens is None else options.assumed_tokens
    context = int(config.get("ctx_len", DEFAULTS["thinker"]["ctx_len"]))
    if not options.has_token_counts:
        plan.figures["steps_rule"] = Figure("lines", "the tokens were not counted")
        return by_rows, schedule.epochs(rows, "samples")
    seen = tokens - counts.unseen_tokens
    rule, why = schedule.choose_rule(counts.usable, seen, context)
    if plan.name == "omni_sft" and counts.rows < rows:
        rule, why = "lines", f"the text has {counts.rows:,} lines, the longest of the three data sets {rows:,} rows"
    if options.steps_rule:
        rule, why = options.steps_rule, f"--steps-rule {options.steps_rule}"
    most = max(tokens, *(c.tokens for c in inputs.counts.values()))
    batch = plan.value("batch_size") * plan.value("gradient_accumulation_steps")
    plan.figures |= {
        "tokens": Figure(tokens, "counted" if options.assumed_tokens is None else "--assume-text-tokens"),
        "tokens_per_step": Figure(batch * context, "effective * ctx_len", {"effective": batch, "ctx_len": context}),
        "steps_rule": Figure(rule, why),
    }
    learnt = seen * plan.value("train_rows") // rows
    if learnt:
        plan.figures["chinchilla_epochs"] = schedule.chinchilla(plan.value("parameters"), learnt)
    if rule == "lines":
        return by_rows, schedule.epochs(most, "tokens")
    by_tokens = schedule.steps_per_epoch_by_tokens(seen, plan.value("train_rows"), rows, batch, context)
    return by_tokens, schedule.epochs(most, "tokens")


# --- what is written ---


def _write(plan: ConfigPlan, config: Config, inputs: Inputs, lengths: Lengths) -> None:
    """Put the plan's numbers into the configuration, and mend what its trainer cannot run with."""
    for key in (
        "batch_size", "gradient_accumulation_steps", "max_epochs", "max_steps", "warmup_steps", "val_freq",
        "checkpoint_freq",
    ):  # fmt: skip
        config.set(key, plan.value(key), plan.figures[key].rule)
    if plan.name == "audio_enc":
        # A blank transcript is one unknown character to the trainer.
        longest = Figure(
            max(1, inputs.counts["asr"].longest),
            "the longest transcript, in characters: none is cut",
            {"longest": inputs.counts["asr"].longest},
        )
        _put(plan, config, "max_text_len", longest)
        plan.figures["ctc_vocab_size"] = Figure(
            lengths.ctc_vocab, "2 + distinct characters", {"characters": len(inputs.counts["asr"].characters)}
        )
    if plan.name == "ocr":
        label = Figure(
            lengths.label,
            f"min(longest label, {MAX_LABEL}), at least 1, + {OCR_MARKS} marks",
            {"longest": inputs.counts["ocr"].longest},
        )
        _put(plan, config, "max_text_length", label)
        plan.figures["ocr_vocab_size"] = Figure(
            lengths.ocr_vocab, "4 + distinct characters", {"characters": len(inputs.counts["ocr"].characters)}
        )
    if plan.name == "vocoder":
        samples, frames = _crop(config)
        config.set("max_audio_length", samples, "samples of a crop; about half a second fits the card")
        config.set("max_mel_length", frames, "frames of such a crop")
    if plan.name == "vision" and config.get("use_thinker_for_text", True) is not False:
        config.set("use_thinker_for_text", False, "the trainer fails with the thinker as its text encoder")
    if inputs.thinker_ckpt:
        config.set("thinker_ckpt", inputs.thinker_ckpt, "the multimodal stage cannot load the thinker.pt of stage A")
