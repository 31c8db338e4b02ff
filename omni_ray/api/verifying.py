"""Reading the training files back."""

from __future__ import annotations

from pathlib import Path

from omni_ray.api.options import VerifyOptions, verb
from omni_ray.progress.reporter import Reporter
from omni_ray.verify.on_ray import on_ray_when_many
from omni_ray.verify.report import VerifyReport
from omni_ray.verify.run import verify as read_back


@verb(VerifyOptions)
def verify(root: Path, asked: VerifyOptions) -> VerifyReport:
    """Read the training files back, as strictly as the trainers are fragile.

    Every record is judged, every clip and image decoded to its end, the rows counted against the shards' manifests,
    and the shards' bytes against their checksums.

    Raises:
        OmniError: a wrong argument, or there is nothing to verify.
        OSError: a file cannot be read.

    Example:
        >>> report = api.verify("project")
        >>> report.ok, [finding.code for finding in report.findings if finding.severity != "warning"]
        (True, [])
    """
    progress = _Progress(asked.told)
    with on_ray_when_many(asked.cluster.session, asked.cluster.run) as run:
        report = read_back(
            root,
            modalities=asked.modalities or None,
            data=asked.data,
            sample=asked.sample,
            run=run,
            shards=asked.shards,
            tell=progress,
        )
    progress.end()
    return report


class _Progress:
    """A file's progress in hundredths, on a reporter."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._done: dict[str, tuple[int, int, int]] = {}

    def __call__(self, file: str, progress: float, rows: int, lost: int) -> None:
        if file not in self._done:
            self._reporter.begin(file, 100, stage="verify")
            self._done[file] = (0, 0, 0)
        before = self._done[file]
        now = (int(progress * 100), rows, lost)
        self._done[file] = now
        pieces, kept, lost = (b - a for a, b in zip(before, now, strict=True))
        self._reporter.advance(file, pieces=pieces, kept=kept, lost=lost)

    def end(self) -> None:
        self._reporter.end()
