"""Corpora in numbers: the table and the sentences that their reports share, and a table for notebooks."""

from __future__ import annotations

from html import escape

from omni_ray.pipeline.corpus_state import Summary
from omni_ray.quality.duplicate_kinds import kinds_of
from omni_ray.results import Report
from omni_ray.visible import visible

HEADER = ("corpus", "in", "kept", "quarantined", "beyond limit", "samples")
_HTML_HEADER = ("corpus", "in", "kept", "quarantined", "beyond limit", "removed", "samples")
_REPEATS_SHOWN = 3


class InNumbers(Report):
    """A report of corpora in numbers.

    Attributes:
        summaries: each corpus in numbers.
    """

    summaries: list[Summary]

    def _repr_html_(self) -> str:
        """A table of the corpora, and what falls short."""
        head = "".join(f"<th>{name}</th>" for name in _HTML_HEADER)
        rows = "".join(f"<tr>{''.join(f'<td>{c}</td>' for c in _html_cells(each))}</tr>" for each in self.summaries)
        short = "".join(f"<p>{escape(sentence)}</p>" for sentence in self.complaints)
        return f"<table><tr>{head}</tr>{rows}</table>{short}"


def _html_cells(summary: Summary) -> list[str]:
    removed = sum(summary.removed.values())
    numbers = (summary.records_in, summary.kept, summary.quarantined, summary.beyond, removed, summary.samples)
    cells = [escape(visible(f"{summary.modality}/{summary.name}")), *(f"{number:,}" for number in numbers)]
    if summary.beyond_share:
        cells[_HTML_HEADER.index("beyond limit")] += f" + {summary.beyond_share:,} samples beyond its share"
    return cells


def numbers_row(summary: Summary) -> list[object]:
    """One corpus as a row under ``HEADER``."""
    beyond = f"{summary.beyond:,}"
    if summary.unread_units:
        beyond += f" + {summary.unread_units:,} units not read"
    if summary.beyond_share:
        beyond += f" + {summary.beyond_share:,} samples beyond its share"
    return [
        f"{summary.modality}/{summary.name}",
        summary.records_in,
        summary.kept,
        summary.quarantined,
        beyond,
        summary.samples,
    ]


def unread_lines(summary: Summary, most: int | None) -> list[str]:
    """Which files of a corpus's source are not read, and why: a line each for at most ``most`` kinds of them, or for all."""
    files = summary.files
    if not files.unread:
        return []
    name = f"{summary.modality}/{summary.name}"
    most = len(files.unread) if most is None else most
    lines = [f"{name}: {files.read:,} files read, {files.unread_count:,} not read"]
    lines += [f"{name}: not read: {group.sentence}" for group in files.unread[:most]]
    if len(files.unread) > most:
        rest = sum(group.count for group in files.unread[most:])
        lines.append(f"{name}: not read: {rest:,} other files; `omni-ray status --unread` names their kinds")
    return lines


def repeat_lines(summary: Summary) -> list[str]:
    """Which files of a corpus's source hold the same records, and what to do."""
    found = summary.doubled
    if not found:
        return []
    name = f"{summary.modality}/{summary.name}"
    lines = [f"{name}: read twice: {each.sentence}" for each in found[:_REPEATS_SHOWN]]
    if len(found) > _REPEATS_SHOWN:
        lines.append(f"{name}: read twice: what {len(found) - _REPEATS_SHOWN:,} other pairs of files share")
    kind = next(iter(kinds_of(summary.modality)), "")
    clean = f"; `omni-ray clean {summary.modality} --duplicates {kind}` keeps one of each {kind}" if kind else ""
    return [*lines, f"{name}: if that is not meant, leave one of such files out of --source{clean}"]


def cleaned_line(summary: Summary) -> str:
    """What cleaning did to a corpus, in a sentence."""
    before = summary.samples + summary.beyond_share + sum(summary.removed.values())
    text = (
        f"{summary.modality}/{summary.name}: {summary.samples + summary.beyond_share:,} of {before:,} samples are clean"
    )
    for what, found in (("removed", summary.removed), ("mended", summary.mended)):
        if found:
            text += f"; {what}: " + ", ".join(f"{name} {count:,}" for name, count in found.items())
    return text


def source_and_clean_lines(summaries: list[Summary], most_unread: int | None) -> list[str]:
    """Which files of the sources are not read, or read twice, and what cleaning did; of all corpora one after the other."""
    of_sources = [line for each in summaries for line in (*unread_lines(each, most_unread), *repeat_lines(each))]
    return [*of_sources, *(cleaned_line(each) for each in summaries if each.removed or each.mended)]
