"""What verifying says: findings, files in numbers, and the verdict.

Small whatever the data: only a few examples are kept, and of the rest the number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from omni_ray.errors import DONE, FALLS_SHORT
from omni_ray.results import Report, table
from omni_ray.verify.checks import SEVERITIES, Severity, checks_of
from omni_ray.visible import visible

EXAMPLES = 5
"""Examples kept of each finding."""
_DETAIL = 160
_ORDER = [*SEVERITIES]


@dataclass(frozen=True)
class Example:
    """One place where something was found.

    Attributes:
        line: of the file, from 1; None for files that do not consist of lines.
        row: as the trainers number them, from 0; None for what concerns no single row.
        detail: what was seen; one line.
    """

    line: int | None = None
    row: int | None = None
    detail: str = ""

    def __str__(self) -> str:
        place = f"line {self.line}" if self.line is not None else f"row {self.row}" if self.row is not None else ""
        return ": ".join(part for part in (place, self.detail) if part)


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one file.

    Attributes:
        file: relative to the project folder.
        kind, code: of the check, see :data:`omni_ray.verify.checks.CHECKS`.
        severity: "fatal", "loss" or "warning".
        count: how many rows (or files, for shards) it was found in.
        examples: the first few places, in file order.
        message: what is wrong.
        trainers: the scripts it hurts.
        consequence: what they make of it.
    """

    file: str
    kind: str
    code: str
    severity: Severity
    count: int
    examples: tuple[Example, ...]
    message: str
    trainers: tuple[str, ...]
    consequence: str

    @property
    def line(self) -> int | None:
        """The line of the first example."""
        return self.examples[0].line if self.examples else None

    @property
    def row(self) -> int | None:
        """The row of the first example."""
        return self.examples[0].row if self.examples else None


@dataclass
class Notes:
    """Counts by code, with the first few examples of each. Small whatever the data, and merged over pieces."""

    kind: str
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Example]] = field(default_factory=dict)

    def add(
        self, code: str, detail: str = "", *, line: int | None = None, row: int | None = None, count: int = 1
    ) -> None:
        """Note ``count`` occurrences of ``code``, a code of this kind of file. Raises KeyError for another."""
        checks_of(self.kind)[code]
        self.counts[code] += count
        examples = self.examples.setdefault(code, [])
        if len(examples) < EXAMPLES:
            text = " ".join(detail.encode("utf-8", "backslashreplace").decode().split())
            examples.append(Example(line, row, text[:_DETAIL]))

    def merge(self, other: Notes, *, lines: int = 0) -> None:
        """Add the notes of a later piece, whose lines count from ``lines``."""
        self.counts += other.counts
        for code, later in other.examples.items():
            examples = self.examples.setdefault(code, [])
            for example in later[: EXAMPLES - len(examples)]:
                line = None if example.line is None else example.line + lines
                examples.append(Example(line, example.row, example.detail))

    def findings(self, file: str) -> list[Finding]:
        """As findings about ``file``, the gravest first."""
        found = []
        for code, count in self.counts.items():
            check = checks_of(self.kind)[code]
            # Pieces of one file may be judged in another order than that of its lines.
            examples = sorted(self.examples[code], key=lambda e: (e.line or 0, e.row or 0))
            found.append(
                Finding(
                    file, self.kind, code, check.severity, count, tuple(examples), check.meaning, check.trainers,
                    check.consequence,
                )
            )  # fmt: skip
        return sorted(found, key=lambda f: (_ORDER.index(f.severity), f.code))

    def loses_all(self) -> bool:
        """Whether something was noted that takes every row of the file with it."""
        return any(checks_of(self.kind)[code].whole_file for code in self.counts)


def is_loss(kind: str, code: str) -> bool:
    """Whether a trainer loses the row that ``code`` was noted for."""
    return checks_of(kind)[code].severity != "warning"


@dataclass
class FileReport:
    """One file in numbers.

    Attributes:
        file: relative to the project folder.
        kind: text, asr, tts, images, ocr or shards.
        rows: samples as the trainers number them; for shards, shards.
        lost: rows with at least one finding that is fatal or a loss.
        expected: rows by the manifests of the shards, or None where there are none.
        decoded: clips or images decoded to the end.
        facts: other numbers worth knowing, such as hours of speech.
    """

    file: str
    kind: str
    rows: int = 0
    lost: int = 0
    expected: int | None = None
    decoded: int = 0
    facts: dict[str, float | int | str] = field(default_factory=dict)


@dataclass
class VerifyReport(Report):
    """The verdict.

    Attributes:
        files: each file in numbers.
        findings: what is wrong, file by file, the gravest first.
        sample: the share of media decoded, or the number asked for; None for all of them.
    """

    files: list[FileReport] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    sample: float | int | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is lost; warnings do not count."""
        return all(finding.severity == "warning" for finding in self.findings)

    @property
    def exit_code(self) -> int:
        return DONE if self.ok else FALLS_SHORT

    def lines(self) -> list[str]:
        """The files as a table, each finding with what comes of it and examples, and the verdict."""
        found = table(("file", "samples", "by shards", "decoded", "lost", ""), [_row(file) for file in self.files])
        for finding in self.findings:
            found += ["", *map(visible, _finding_lines(finding))]
        return [*found, "", self._verdict()]

    def _verdict(self) -> str:
        lost = sum(f.lost for f in self.files if f.kind != "shards")
        looked = "" if self.sample is None else f" (a look at a sample of the media: {self.sample})"
        unlearnt = sum(f.count for f in self.findings if f.code == "ctc_infeasible")
        if self.ok and unlearnt:
            return (
                f"ok: the trainers read every sample{looked}, but nothing is learnt from {unlearnt:,} clips: see above"
            )
        if self.ok:
            return f"ok: the trainers lose nothing{looked}"
        grave = sum(f.severity != "warning" for f in self.findings)
        shared = sum(f.count for f in self.findings if f.code == "both_sides")
        parted = f", {shared:,} are both held out and trained on" if shared else ""
        return f"{grave} finding{'s' * (grave != 1)}: {lost:,} samples would be lost{parted}{looked}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "exit_code": self.exit_code,
            "sample": self.sample,
            "files": [vars(file) for file in self.files],
            "findings": [asdict(finding) for finding in self.findings],
        }


def _row(file: FileReport) -> list[object]:
    return [
        file.file,
        f"{file.rows:,} shard{'s' * (file.rows != 1)}" if file.kind == "shards" else file.rows,
        "-" if file.expected is None else file.expected,
        file.decoded or "-",
        file.lost,
        ", ".join(f"{name} {value:,}" for name, value in file.facts.items()),
    ]


def _finding_lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.severity}: {finding.file}: {finding.message} ({finding.code}: {finding.count:,})"
    hurt = ", ".join(finding.trainers)
    yield f"  {hurt}: {finding.consequence}" if hurt else f"  {finding.consequence}"
    yield from (f"  {example}" for example in finding.examples if str(example))
    more = finding.count - len(finding.examples)
    if more > 0:
        yield f"  ... and {more:,} more"
