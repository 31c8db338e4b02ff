"""Reading the training files back."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from omni_ray.api.options import VerifyOptions, verb
from omni_ray.verify.on_ray import when_many
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
    with ExitStack() as stack:
        return read_back(
            root,
            modalities=asked.modalities,
            data=asked.data,
            sample=asked.sample,
            run=when_many(asked.cluster.runner(stack)),
            shards=asked.shards,
            reporter=asked.reporter,
        )
