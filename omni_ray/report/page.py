"""The page itself: one HTML file with everything in it, readable without a network and without us."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omni_ray import __version__
from omni_ray.errors import OmniError
from omni_ray.pipeline.store import Store
from omni_ray.pipeline.tasks import Runner, inline
from omni_ray.report.collect import CorpusPage, collect
from omni_ray.report.histogram import Histogram
from omni_ray.storage import write_atomic

_CHART_WIDTH, _CHART_HEIGHT, _AXIS = 360, 110, 16


def write_report(
    root: str | Path, out: str | Path | None = None, *, shards: str | None = None, run: Runner = inline
) -> Path:
    """Write the page about everything that is prepared under ``root``.

    Args:
        root: the project folder.
        out: the file; default ``data/report.html`` under the root.
        shards: another place of the shards.
        run: maps the counting over shards.

    Raises:
        OmniError: nothing is prepared.
    """
    pages = collect(Store(root, shards), run)
    if not pages:
        raise OmniError(f"{root}: nothing is prepared here; run `omni-ray demo` or `omni-ray prepare` first")
    target = Path(out) if out is not None else Path(root) / "data" / "report.html"
    write_atomic(target, render(pages, title=f"What is in {Path(root).absolute().name}").encode())
    return target


def render(pages: Sequence[CorpusPage], *, title: str, plan: Sequence[dict[str, Any]] = ()) -> str:
    """The page as HTML. Everything that comes from data is escaped."""
    from jinja2 import Environment, PackageLoader, select_autoescape

    environment = Environment(
        loader=PackageLoader("omni_ray.report", "."),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
    )
    environment.filters |= {"count": _count, "size": _size, "short": _short}
    template = environment.get_template("page.html.j2")
    return template.render(pages=pages, title=title, version=__version__, plan=plan, bars=_bars)


def _count(value: float | None) -> str:
    return "–" if value is None else f"{value:,}"


def _size(value: int) -> str:
    size = float(value)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _bars(histogram: Histogram) -> Any:
    """The bars of a histogram, with its range under them."""
    from markupsafe import Markup

    most = max(histogram.counts) or 1
    width = _CHART_WIDTH / len(histogram.counts)
    bars = [
        f'<rect class="bar" x="{i * width:.1f}" y="{_CHART_HEIGHT - count / most * _CHART_HEIGHT:.1f}" '
        f'width="{width * 0.9:.1f}" height="{count / most * _CHART_HEIGHT:.1f}"/>'
        for i, count in enumerate(histogram.counts)
        if count
    ]
    y = _CHART_HEIGHT + _AXIS
    ends = (
        f'<text x="0" y="{y}">{_short(histogram.edges[0])}</text>'
        f'<text x="{_CHART_WIDTH}" y="{y}" text-anchor="end">{_short(histogram.edges[-1])}+</text>'
    )
    return Markup("".join(bars) + ends)
