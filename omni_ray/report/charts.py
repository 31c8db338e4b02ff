"""Drawings of the page, as SVG that needs nothing else, and as widths in percent."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from omni_ray.pipeline.corpus_state import Summary
from omni_ray.quality.reasons import QUALITY_REASONS
from omni_ray.reasons import REASONS
from omni_ray.report.histogram import Histogram

WIDTH, HEIGHT = 360, 156
_TOP, _BOTTOM = 6, 22
_VISIBLE = 0.5
"""Percent: anything above zero must be visible."""


@dataclass(frozen=True)
class Bar:
    """One line of the flow of records: what it is, how many, and the bar's place in percent of all that came in.

    ``kind`` is "in", "kept", "lost", "beyond" or "cleaned"; ``meaning`` explains a reason.
    """

    kind: str
    label: str
    count: int
    start: float
    width: float
    meaning: str = ""


def flow(summary: Summary) -> list[Bar]:
    """The way of a corpus's records: all that came in, then what went where, step by step, then what is kept."""
    steps = [
        ("lost", code, number, REASONS[code].meaning if code in REASONS else "")
        for code, number in sorted(summary.reasons.items(), key=lambda item: -item[1])
    ]
    if summary.beyond:
        steps.append(("beyond", "beyond the limit", summary.beyond, "not taken, because of --max-samples"))
    return _waterfall("in", summary.records_in, steps, summary.kept)


def cleaning(summary: Summary) -> list[Bar]:
    """The same for samples: what cleaning removed, and what does not belong in the mixture."""
    removed = summary.removed
    steps = [
        ("cleaned", code, number, QUALITY_REASONS[code].meaning if code in QUALITY_REASONS else "")
        for code, number in sorted(removed.items(), key=lambda item: -item[1])
    ]
    if summary.beyond_share:
        steps.append(("beyond", "beyond its share", summary.beyond_share, "not in the mixture that was asked for"))
    total = summary.samples + sum(number for _, _, number, _ in steps)
    return _waterfall("samples", total, steps, summary.samples) if steps else []


def _waterfall(label: str, total: int, steps: Sequence[tuple[str, str, int, str]], left: int) -> list[Bar]:
    if not total:
        return []
    bars = [Bar("in", label, total, 0, 100)]
    end = 100.0
    for kind, what, number, meaning in steps:
        share = 100 * number / total
        end -= share
        width = max(share, _VISIBLE)
        bars.append(Bar(kind, what, number, max(0.0, min(end, 100 - width)), width, meaning))
    bars.append(Bar("kept", "kept", left, 0, 100 * left / total))
    return bars


def histogram_svg(histogram: Histogram) -> Markup:
    """Bars over an axis with round numbers, and a mark at the median. Only numbers go into it."""
    shown = histogram.to_show()
    most = max(shown.counts) or 1
    base = HEIGHT - _BOTTOM
    room = base - _TOP
    place = _axis(shown)
    parts = []
    for i, count in enumerate(shown.counts):
        if count:
            left, right = place(shown.edges[i]), place(shown.edges[i + 1])
            height = max(count / most * room, 1.0)
            parts.append(
                f'<rect class="bar" x="{left:.1f}" y="{base - height:.1f}" width="{max(right - left - 1, 1):.1f}" '
                f'height="{height:.1f}"><title>{short(shown.edges[i])} to {short(shown.edges[i + 1])}: {count:,}</title></rect>'
            )
    middle = place(histogram.quantile(0.5))
    parts.append(f'<path class="median" d="M{middle:.1f} {_TOP}V{base}"/>')
    parts.append(f'<path class="axis" d="M0 {base}.5H{WIDTH}"/>')
    for value in ticks(shown.edges[0], shown.edges[-1], is_logarithmic=shown.is_logarithmic):
        x = place(value)
        anchor = "start" if x < 12 else "end" if x > WIDTH - 12 else "middle"
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 5}" text-anchor="{anchor}">{short(value)}</text>')
    return Markup("".join(parts))


def _axis(histogram: Histogram) -> Callable[[float], float]:
    """From a value to its place on the axis."""
    scale = math.log if histogram.is_logarithmic else float
    first, last = histogram.edges[0], histogram.edges[-1]
    low = scale(first)
    span = (scale(last) - low) or 1.0
    return lambda value: (scale(min(max(value, first), last)) - low) / span * WIDTH


def ticks(low: float, high: float, *, is_logarithmic: bool) -> list[float]:
    """Three to seven round numbers between ``low`` and ``high``."""
    if is_logarithmic and high > 6 * low:
        for steps in ((1,), (1, 3), (1, 2, 5)):
            found = [t for t in _decades(low, high, steps) if low <= t <= high]
            if len(found) >= 3:
                return found[:: -(-len(found) // 7)]
        return found
    span = high - low or 1.0
    step = 10.0 ** math.floor(math.log10(span / 3))
    step *= next((m for m in (1, 2, 5) if span / (step * m) <= 6), 10)
    first = math.ceil(low / step)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def _decades(low: float, high: float, steps: tuple[float, ...]) -> Iterator[float]:
    for exponent in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        yield from (step * 10.0**exponent for step in steps)


def short(value: float) -> str:
    """A number in few characters."""
    if abs(value) >= 10_000:
        return f"{value / 1000:,.0f}k"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
