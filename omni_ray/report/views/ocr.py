"""Words as small pictures with their labels; how long labels are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from omni_ray.report import media
from omni_ray.report.histogram import Histogram, linear
from omni_ray.report.view import Counted, View, lengths, shortened

_TEMPLATE = """\
<ul class="sheet words">
{% for sample in samples %}
<li><img src="{{ sample.image }}" alt="The word {{ sample.text|visible }}" width="112" height="112">{{ sample.text|visible }}</li>
{% endfor %}
</ul>
"""


def _show(row: dict[str, Any]) -> dict[str, Any]:
    return {"image": media.thumbnail(row["image"]["bytes"], 112), "text": shortened(row["text"], 64)}


def _histograms() -> dict[str, Histogram]:
    return {"labels": linear("Label length", "characters", -0.5, 1199.5, is_whole=True)}


def _count(counted: Counted, rows: pa.Table) -> None:
    counted.histograms["labels"].add(lengths(rows["text"]))
    counted.count_characters(rows["text"])


def _note(members: Sequence[Counted]) -> str:
    return ", each a picture"


VIEW = View(30, _show, _TEMPLATE, ("text",), _histograms, _count, _note, "labels")
