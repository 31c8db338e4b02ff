"""The page itself: one HTML file with everything in it, readable without a network and without us."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omni_ray import __version__
from omni_ray.errors import OmniError
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.engine import Runner, inline
from omni_ray.pipeline.store import Store
from omni_ray.quality.cleaned import training_corpora
from omni_ray.quality.outdated import all_outdated
from omni_ray.quality.reasons import QUALITY_REASONS
from omni_ray.reasons import REASONS
from omni_ray.recipe import recorded
from omni_ray.report import charts
from omni_ray.report.collect import CorpusPage, TrainingFile, collect, training_files
from omni_ray.report.plan import cheap_plan, plan_rows
from omni_ray.report.view import view_of
from omni_ray.storage import remove_temporaries, write_atomic
from omni_ray.trainers.files import all_modalities
from omni_ray.visible import visible, visible_lines

if TYPE_CHECKING:
    from omni_ray.training.plan import PlanReport

_SEAL = b"<!-- omni-ray report %s -->\n"


def write_report(
    root: str | Path,
    out: str | Path | None = None,
    *,
    shards: str | None = None,
    run: Runner = inline,
    plan: PlanReport | None = None,
) -> Path:
    """Write the page about everything that is prepared under ``root``.

    Args:
        root: the project folder.
        out: the file; default ``data/report.html`` under the root. A page of ours that is there is replaced.
        shards: another place of the shards.
        run: maps the counting over shards.
        plan: the training plan; None for a dry run of it, where that takes no more than seconds.

    Raises:
        OmniError: nothing is prepared, or ``out`` is no place for a page.
    """
    root = Path(root)
    target = Path(out) if out is not None else root / "data" / "report.html"
    _refuse_place(target)
    store = Store(root, shards)
    pages = collect(store, run)
    if not pages:
        raise OmniError(f"{root}: nothing is prepared here; run `omni-ray demo` or `omni-ray prepare` first")
    plan = plan or cheap_plan(root, shards)
    page = render(
        pages,
        title=root.absolute().name,
        plan=plan_rows(plan) if plan else (),
        files=training_files(store),
        outdated=all_outdated(store, training_corpora(store)),
        recipe=recorded(root),
    )
    remove_temporaries(target.parent)
    write_atomic(target, _sealed(page.encode("utf-8", "replace")))
    return target


def _sealed(page: bytes) -> bytes:
    """The page, with a digest of it in its last line: by it we know a page of ours, as we wrote it."""
    return page + _SEAL % hashlib.sha256(page).hexdigest().encode()


def _refuse_place(target: Path) -> None:
    """Raise OmniError where something is at ``target`` that is no page of ours, or was changed since."""
    if not os.path.lexists(target):
        return
    if target.is_symlink() or not target.is_file():
        raise OmniError(f"{target}: is a folder or a link; choose another place with --out FILE.html")
    data = target.read_bytes()
    page = data[: -len(_SEAL % (b"0" * 64))]
    if data != _sealed(page) and data.strip(b"\0"):
        raise OmniError(
            f"{target} is not a report of omni-ray as it was written; nothing is written over it: move it away, or choose "
            "another place with --out FILE.html"
        )


def render(
    pages: Sequence[CorpusPage],
    *,
    title: str,
    plan: Sequence[dict[str, Any]] = (),
    files: Sequence[TrainingFile] = (),
    outdated: Sequence[str] = (),
    recipe: str | None = None,
) -> str:
    """The page as HTML. Everything that comes from data is escaped."""
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("omni_ray.report", "."), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "count": _count,
        "size": _size,
        "short": charts.short,
        "visible": lambda text: visible(text or ""),
        "share": _share,
    }
    anchors = {id(page): f"{page.state.modality}-{number}" for number, page in enumerate(pages)}
    groups = [(m, [page for page in pages if page.state.modality == m]) for m in all_modalities()]
    return environment.get_template("page.html.j2").render(
        pages=pages,
        groups=[_group(m, members) for m, members in groups if members],
        title=visible(title),
        version=__version__,
        plan=plan,
        longest_run=max((stage.get("steps", 0) for stage in plan), default=0),
        files=files,
        outdated=outdated,
        recipe=visible_lines(recipe) if recipe else "",
        anchor=lambda page: anchors[id(page)],
        view=lambda page: view_of(page.state.modality),
        template=environment.from_string,
        reasons=REASONS | QUALITY_REASONS,
        lost=lambda summary, code: summary.reasons.get(code) or summary.removed.get(code, 0),
        flows=lambda summary: [charts.flow(summary), charts.cleaning(summary)],
        svg=charts.histogram_svg,
        is_address=_is_address,
    )


def _group(modality: str, members: Sequence[CorpusPage]) -> tuple[str, str, Sequence[CorpusPage], str]:
    """The heading, what samples are called, the corpora, and what the samples come to."""
    kind = modality_of(modality)
    return kind.title, kind.samples, members, view_of(modality).note([page.counted for page in members])


def _is_address(text: str) -> bool:
    """Whether a corpus's homepage may become a link: a corpus of the user's own can say anything."""
    return re.fullmatch(r"https?://[^\s\"'<>]+", text or "") is not None


def _count(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


def _share(part: float, whole: float) -> str:
    """A share in percent that never rounds a loss away."""
    percent = 100 * part / whole if whole else 0.0
    if 99.95 <= percent < 100:
        return "> 99.9 %"
    return f"{percent:.1f} %" if percent < 100 else "100 %"


def _size(value: int) -> str:
    size = float(value)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
