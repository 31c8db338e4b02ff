"""Text: lines as quotations, how long they are, and how many tokens they come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from omni_ray.report.histogram import Histogram, logarithmic
from omni_ray.report.view import LONGEST_TEXT, Counted, View, lengths, shortened

_TEMPLATE = """\
<div class="lines">
{% for sample in samples %}
<blockquote>{{ sample.text|visible }}{% if sample.title %}<cite>{{ sample.title|visible }}</cite>{% endif %}</blockquote>
{% endfor %}
</div>
"""


def _show(row: dict[str, Any]) -> dict[str, Any]:
    return {"text": shortened(row["text"], LONGEST_TEXT), "title": shortened(row["title"])}


def _histograms() -> dict[str, Histogram]:
    return {"lengths": logarithmic("Line length", "characters", 1, 100_000, is_whole=True)}


def _count(counted: Counted, rows: pa.Table) -> None:
    counted.histograms["lengths"].add(lengths(rows["text"]))


def _note(members: Sequence[Counted]) -> str:
    tokens = 0.0
    for each in members:
        counted = each.histograms.get("tokens")
        if counted is None or not counted.total:
            return " of text"
        tokens += counted.sum / counted.total * each.rows  # of long shards a part of the lines is counted
    return f" of text, {tokens:,.0f} tokens"


VIEW = View(6, _show, _TEMPLATE, ("text",), _histograms, _count, _note)
