"""Plain tables on standard output: aligned columns, no box art, the same on a terminal and in a log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from omni_ray.visible import visible

if TYPE_CHECKING:
    from omni_ray.pipeline.combined import Combined
    from omni_ray.pipeline.corpus_state import Summary


def render(header: Sequence[str], rows: Sequence[Sequence[object]], *, left: int = 1) -> str:
    """A table as text, each row in one line; the first ``left`` columns are left-aligned, the others right-aligned."""
    cells = [[f"{c:,}" if isinstance(c, int) else visible(c) for c in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = []
    for row in cells:
        padded = [c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(padded).rstrip())
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(lines)


SUMMARY_HEADER = ("corpus", "in", "kept", "quarantined", "beyond limit", "samples")


def summary_row(summary: Summary) -> list[object]:
    """One corpus as a row under ``SUMMARY_HEADER``."""
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


def unread_lines(summary: Summary, most: int) -> list[str]:
    """Which files of a corpus's source are not read, and why: a line each for at most ``most`` kinds of them."""
    files = summary.files
    if not files.unread:
        return []
    name = f"{summary.modality}/{summary.name}"
    lines = [f"{name}: {files.read:,} files read, {files.unread_count:,} not read"]
    lines += [f"{name}: not read: {group.sentence}" for group in files.unread[:most]]
    if len(files.unread) > most:
        rest = sum(group.count for group in files.unread[most:])
        lines.append(f"{name}: not read: {rest:,} other files; `omni-ray status --unread` names their kinds")
    return lines


_REPEATS_SHOWN = 3


def repeat_lines(summary: Summary) -> list[str]:
    """Which files of a corpus's source say the same, and what to do."""
    found = summary.doubled
    if not found:
        return []
    from omni_ray.quality.duplicate_kinds import kinds_of

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


def file_lines(files: Sequence[Combined]) -> list[str]:
    """What was written, a line a file, and what was held out of how much."""
    lines = [_file_line(file) for file in files]
    for held in files:
        if held.is_held_out:
            folder = held.path.rpartition("/")[0]
            kept = next(f for f in files if f.is_production and f.path.startswith(f"{folder}/"))
            lines.append(
                f"{folder}: {kept.samples:,} samples to train on + {held.samples:,} held out = "
                f"{kept.samples + held.samples:,} prepared"
            )
    return list(dict.fromkeys(lines))


def _file_line(file: Combined) -> str:
    text = f"{file.path}: {file.records:,} records, {file.bytes:,} bytes"
    if file.samples != file.records:
        text += f", of {file.samples:,} samples"
    return f"{text}; {file.note}" if file.note else text
