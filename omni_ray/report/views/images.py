"""Pictures with their captions; how long captions are, and how large the originals were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.report import media
from omni_ray.report.histogram import Histogram, linear, logarithmic
from omni_ray.report.view import Counted, View, floats, lengths, shortened

_MOST_CAPTIONS = 3


_TEMPLATE = """\
<ul class="sheet">
{% for sample in samples %}
<li><img src="{{ sample.image }}" alt="{{ sample.captions[0]|visible }}" width="224" height="224">{% if sample.captions|length == 1 %}{{ sample.captions[0]|visible }}{% else %}<ul>{% for caption in sample.captions %}<li>{{ caption|visible }}</li>{% endfor %}{% if sample.more %}<li class="soft">and {{ sample.more|count }} more</li>{% endif %}</ul>{% endif %}</li>
{% endfor %}
</ul>
"""


def _show(row: dict[str, Any]) -> dict[str, Any]:
    captions = [shortened(caption, 160) for caption in row["captions"]]
    return {
        "image": media.thumbnail(row["image"]["bytes"], 224),
        "captions": captions[:_MOST_CAPTIONS],
        "more": len(captions[_MOST_CAPTIONS:]),
    }


def _histograms() -> dict[str, Histogram]:
    return {
        "captions": linear("Caption length", "characters", -0.5, 1199.5, is_whole=True),
        "pixels": logarithmic("Size of the source", "megapixels", 0.001, 100),
    }


def _count(counted: Counted, rows: pa.Table) -> None:
    counted.histograms["captions"].add(lengths(pc.list_flatten(rows["captions"])))
    known = rows.select(["source_width", "source_height"]).drop_null()
    pixels = floats(known["source_width"]) * floats(known["source_height"])
    counted.histograms["pixels"].add(pixels / 1e6)


def _note(members: Sequence[Counted]) -> str:
    return f" on {sum(each.rows for each in members):,} pictures"


VIEW = View(10, _show, _TEMPLATE, ("captions", "source_width", "source_height"), _histograms, _count, _note)
