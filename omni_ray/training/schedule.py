"""How long to train: epochs, steps, warm-up, and how often to validate and to save. Pure arithmetic.

Rules are the specification's, made exact where the trainers need it; every number carries the rule it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Rule = Literal["tokens", "lines"]
PACKED = 0.85
"""Lines that fill at least this share of the context are "packed": then a step consumes what the token rule says."""

CHINCHILLA_OPTIMUM = 20
"""Tokens per parameter at the compute optimum (Hoffmann et al. 2022, "Training Compute-Optimal LLMs", table 3)."""
CHINCHILLA_UPPER = 200
"""The specification's upper end: small models gain from training far past the optimum."""

_BY_SAMPLES = ((1_000_000, 2), (500_000, 3), (100_000, 4), (0, 7))
_BY_TOKENS = ((100_000_000, 2), (50_000_000, 3), (10_000_000, 4), (0, 7))


@dataclass(frozen=True)
class Figure:
    """One number of the plan, and where it came from.

    Attributes:
        rule: a formula or a sentence, in the words of ``inputs``.
        inputs: what went into it, by name.
    """

    value: Any
    rule: str
    inputs: Mapping[str, Any] = field(default_factory=dict)


def epochs(count: int, unit: Literal["samples", "tokens"]) -> Figure:
    """How often to go over the data: the less there is, the more often."""
    tiers = _BY_SAMPLES if unit == "samples" else _BY_TOKENS
    recommended = next(times for least, times in tiers if count >= least)
    rule = ", ".join(f"{times} from {least:,} {unit}" for least, times in tiers)
    return Figure(recommended, rule, {unit: count})


def choose_rule(lines: int, seen_tokens: int, ctx_len: int) -> tuple[Rule, str]:
    """Whether a step is counted in tokens or in lines, and why.

    A trainer's batch is so many lines, however short; the token rule says the same only where lines fill the context.

    Args:
        seen_tokens: tokens in them, without what is beyond the context and never seen.
        ctx_len: tokens of a line that the model sees.
    """
    filled = seen_tokens / (lines * ctx_len) if lines else 0.0
    if filled >= PACKED:
        return "tokens", f"lines are packed: they fill {filled:.0%} of ctx_len on average"
    return "lines", f"lines fill {filled:.0%} of ctx_len on average, and a step takes a batch of lines however short"


def steps_per_epoch_by_tokens(tokens: int, train_rows: int, rows: int, batch_size: int, ctx_len: int) -> Figure:
    """The specification's rule for text: training tokens over tokens a step."""
    kept = tokens * train_rows // rows if rows else 0
    return Figure(
        max(1, kept // (batch_size * ctx_len)),
        "tokens * train_rows // rows // (effective_batch * ctx_len)",
        {
            "tokens": tokens,
            "train_rows": train_rows,
            "rows": rows,
            "effective_batch": batch_size,
            "ctx_len": ctx_len,
        },
    )


def steps_per_epoch_by_rows(train_batches: int, train_rows: int, batch_size: int, accumulation: int = 1) -> Figure:
    """Batches that the loader makes of the training rows, over the batches a step takes."""
    return Figure(
        max(1, train_batches // accumulation),
        "batches of batch_size in train_rows, // accumulation",
        {"train_rows": train_rows, "batch_size": batch_size, "accumulation": accumulation, "batches": train_batches},
    )


def max_steps(steps_per_epoch: int, epoch_count: int) -> Figure:
    """All steps of a run."""
    return Figure(
        steps_per_epoch * epoch_count,
        "steps_per_epoch * epochs",
        {"steps_per_epoch": steps_per_epoch, "epochs": epoch_count},
    )


def max_epochs(steps: int, batches_per_epoch: int, epoch_count: int, accumulation: int = 1) -> Figure:
    """Passes the trainer may make: the recommended ones, or as many as ``max_steps`` needs to be reached."""
    needed = -(-steps * accumulation // max(1, batches_per_epoch))
    return Figure(
        max(epoch_count, needed),
        "max(epochs, ceil(max_steps * accumulation / batches))",
        {"epochs": epoch_count, "max_steps": steps, "batches": batches_per_epoch, "accumulation": accumulation},
    )


def warmup(steps: int) -> Figure:
    """4 % of all steps, without a cap; short runs get up to a tenth of their steps, and at most 100."""
    return Figure(
        max(steps * 4 // 100, min(100, steps // 10)),
        "max(4 % of max_steps, min(100, max_steps // 10))",
        {"max_steps": steps},
    )


def validation_frequency(steps_per_epoch: int, steps: int, can_validate: bool) -> Figure:
    """Steps between validations: ten an epoch within 100 to 1,000, at least one an epoch.

    Without one full validation batch the trainers divide by zero, so it is put beyond the end.
    """
    if not can_validate:
        return never(steps, "the validation rows fill no batch")
    value = min(max(100, min(1000, steps_per_epoch // 10)), max(1, steps_per_epoch))
    return Figure(
        value,
        "min(max(100, min(1000, steps_per_epoch // 10)), steps_per_epoch)",
        {"steps_per_epoch": steps_per_epoch},
    )


def checkpoint_frequency(steps_per_epoch: int) -> Figure:
    """Steps between checkpoints: one an epoch, within 1,000 to 10,000. The end of a run is always saved."""
    return Figure(
        max(1000, min(10_000, steps_per_epoch)),
        "max(1000, min(10000, steps_per_epoch))",
        {"steps_per_epoch": steps_per_epoch},
    )


def never(steps: int, why: str) -> Figure:
    """A frequency beyond the end of the run."""
    return Figure(steps + 1, f"max_steps + 1: {why}", {"max_steps": steps})


def chinchilla(parameters: int, tokens: int) -> Figure:
    """How many epochs make 20 tokens per parameter, rounded up.

    Args:
        tokens: that one epoch learns from, above 0.
    """
    optimum, upper = CHINCHILLA_OPTIMUM * parameters, CHINCHILLA_UPPER * parameters
    return Figure(
        -(-optimum // tokens),
        f"ceil({CHINCHILLA_OPTIMUM} * parameters / tokens); at the upper end ceil({CHINCHILLA_UPPER} * ...)",
        {
            "parameters": parameters,
            "tokens": tokens,
            "optimum_tokens": optimum,
            "upper_tokens": upper,
            "upper_epochs": -(-upper // tokens),
            "tokens_per_parameter": float(f"{tokens / parameters:.3g}"),
        },
    )
