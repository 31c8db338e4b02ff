"""The closed list of what ``verify`` looks for, and what each thing costs which trainer.

A check is named by the kind of file and a code. The same flaw can be harmless in one kind of file and ruin another:
a byte order mark at the head of the text is dropped by the tokenizer, in the ASR file it loses every row. The list is a table,
``checks.csv``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from omni_ray.trainers.files import FILES

Severity = Literal["fatal", "loss", "warning"]
SEVERITIES: dict[Severity, str] = {
    "fatal": "a trainer stops, or trains on nothing and says so to nobody",
    "loss": "samples are dropped, cut, or reach the model as something else than was written",
    "warning": "nothing is lost, but somebody should know",
}
SHARDS = "shards"
KINDS = (*FILES, SHARDS)


@dataclass(frozen=True)
class Check:
    """One thing that can be wrong.

    Attributes:
        kind: the kind of file, one of :data:`KINDS`.
        code: its name within the kind.
        severity: fatal, loss or warning; see :data:`SEVERITIES`.
        trainers: the scripts it hurts.
        meaning: what is wrong, as the end of a sentence about a row or a file.
        consequence: what the trainers make of it.
        whole_file: whether one occurrence takes every row of the file with it.
    """

    kind: str
    code: str
    severity: Severity
    trainers: tuple[str, ...]
    meaning: str
    consequence: str
    whole_file: bool = False


@cache
def checks_of(kind: str) -> dict[str, Check]:
    """The checks of a kind of file, by code.

    A row of the table is for kinds of files, for those of a form that have a twin or have none ("twin-csv", "single-csv"), for
    all of a form ("csv"), or for all ("*"); the narrowest one counts. Where it names no trainers, all that read the file are hurt.
    """
    file = FILES.get(kind)
    readers = file.readers if file is not None else ()
    wider = ("*", file.form, f"{'twin' if file.twin else 'single'}-{file.form}") if file is not None else ()
    found: dict[str, Check] = {}
    for name in (*wider, kind):
        for kinds, code, severity, trainers, whole_file, meaning, consequence in _rows():
            if name in kinds.split():
                hurt = tuple(trainers.split()) or readers
                found[code] = Check(kind, code, severity, hurt, meaning, consequence, bool(whole_file))  # type: ignore[arg-type]
    return found


def _rows() -> Iterator[list[str]]:
    rows = csv.reader(files("omni_ray.verify").joinpath("checks.csv").read_text("utf-8").splitlines())
    next(rows)
    yield from rows


CHECKS: dict[tuple[str, str], Check] = {
    (kind, code): check for kind in KINDS for code, check in checks_of(kind).items()
}
"""Every check, by kind of file and code."""
