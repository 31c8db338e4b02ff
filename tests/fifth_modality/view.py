"""What the page shows of melodies, as ``omni_ray/report/views/melodies.py`` would."""

from __future__ import annotations

from omni_ray.report.histogram import linear
from omni_ray.report.view import View, lengths

VIEW = View(
    shown=4,
    show=lambda row: {"title": row["title"], "notes": row["score"]["bytes"].decode()},
    template="{% for sample in samples %}<pre>{{ sample.title }}: {{ sample.notes }}</pre>{% endfor %}",
    columns=("title",),
    histograms=lambda: {"titles": linear("Title length", "characters", 0, 99)},
    count=lambda counted, rows: counted.histograms["titles"].add(lengths(rows["title"])),
    note=lambda members: " to hum",
)
