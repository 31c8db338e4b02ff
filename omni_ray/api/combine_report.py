"""What ``combine`` wrote, for people, notebooks and machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omni_ray.pipeline.combined import Combined
from omni_ray.results import ListReport
from omni_ray.visible import visible


class CombineReport(ListReport[Combined]):
    """The flat files as ``combine`` wrote or left them: a list that can also describe itself in words."""

    def lines(self) -> list[str]:
        """A line for each file, and how much was held out."""
        return [visible(line) for line in file_lines(self)]

    def as_json(self) -> list[dict[str, Any]]:
        return [vars(file) for file in self]


def file_lines(files: Sequence[Combined]) -> list[str]:
    """What was written, a line for each file, and how much was held out."""
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
