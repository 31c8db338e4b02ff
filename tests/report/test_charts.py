"""Histograms add up however the values are split, and what is drawn is what was counted."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_ray.pipeline.corpus_state import Summary
from omni_ray.report.charts import WIDTH, flow, histogram_svg, ticks
from omni_ray.report.histogram import Histogram, linear, logarithmic

values = st.lists(st.floats(-10, 1e5, allow_nan=False), min_size=1, max_size=60)


def made(kind: str, numbers: list[float]) -> Histogram:
    histogram = linear("a", "s", 0, 120) if kind == "linear" else logarithmic("a", "s", 1, 1e5)
    histogram.add(np.array(numbers, np.float64))
    return histogram


@given(st.sampled_from(["linear", "log"]), values, st.integers(0, 60))
def test_counting_apart_and_merging_is_counting_together(kind: str, numbers: list[float], cut: int) -> None:
    whole, first, second = made(kind, numbers), made(kind, numbers[:cut]), made(kind, numbers[cut:])
    first.merge(second)
    assert (first.counts, first.total, first.low, first.high) == (whole.counts, len(numbers), whole.low, whole.high)
    assert first.sum == pytest.approx(whole.sum)


@given(st.sampled_from(["linear", "log"]), values)
def test_what_is_shown_holds_every_value_in_few_bars(kind: str, numbers: list[float]) -> None:
    whole = made(kind, numbers)
    shown = whole.to_show()
    assert sum(shown.counts) == len(numbers) and len(shown.counts) <= 32
    assert shown.edges == sorted(shown.edges) and len(shown.edges) == len(shown.counts) + 1
    drawn = histogram_svg(whole)
    bars = re.findall(r'<rect class="bar" x="([\d.-]+)" y="([\d.]+)" width="([\d.]+)"', drawn)
    assert len(bars) == sum(count > 0 for count in shown.counts)
    assert all(float(x) >= 0 and float(x) + float(width) <= WIDTH + 1.1 for x, _, width in bars)


@given(st.sampled_from(["linear", "log"]), values)
def test_quantiles_are_in_order_and_within_the_values(kind: str, numbers: list[float]) -> None:
    histogram = made(kind, numbers)
    found = [histogram.quantile(share) for share in (0.1, 0.5, 0.95)]
    assert found == sorted(found) and found[-1] <= max(numbers)


@given(st.floats(0.01, 1e4), st.floats(1.001, 1e4), st.booleans())
def test_ticks_are_few_and_inside(low: float, ratio: float, logarithmic: bool) -> None:
    found = ticks(low, low * ratio, is_logarithmic=logarithmic)
    assert 1 <= len(found) <= 8
    assert all(low * 0.999 <= tick <= low * ratio * 1.001 for tick in found)


def test_whole_numbers_have_whole_quantiles() -> None:
    histogram = linear("a", "characters", -0.5, 1199.5, is_whole=True)
    histogram.add(np.array([3, 5, 5, 7, 9], np.float64))
    assert [histogram.quantile(share) for share in (0.2, 0.5, 1.0)] == [3, 5, 9]


def test_the_flow_starts_with_all_and_ends_with_what_is_kept() -> None:
    reasons: Counter[str] = Counter({"redirect": 100, "decode_error": 1})
    summary = Summary("c", "text", 1000, kept=850, quarantined=101, beyond=49, reasons=reasons)
    bars = flow(summary)
    assert [(bar.kind, bar.count) for bar in bars] == [
        ("in", 1000), ("lost", 100), ("lost", 1), ("beyond", 49), ("kept", 850),
    ]  # fmt: skip
    assert bars[1].start == pytest.approx(90) and bars[-1].width == pytest.approx(85)
    assert all(bar.width >= 0.5 and bar.start >= 0 and bar.start + bar.width <= 100.001 for bar in bars)
    assert "only redirects" in bars[1].meaning
    assert flow(Summary("c", "text")) == []
