"""Writing what is committed as a dataset for other tools."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from omni_ray.api.cleaning import prepared
from omni_ray.api.options import ExportOptions, PublishOptions, verb
from omni_ray.errors import OmniError
from omni_ray.export.folder import Mark
from omni_ray.export.publish import PublishReport
from omni_ray.export.publish import publish as write_files
from omni_ray.export.push import push as send
from omni_ray.export.run import ExportReport
from omni_ray.export.run import export as run
from omni_ray.pipeline.store import Store
from omni_ray.progress.reporter import Reporter, usual
from omni_ray.results import Report
from omni_ray.visible import visible


@verb(ExportOptions)
def export(root: Path, asked: ExportOptions) -> ExportReport:
    """Write what is committed as a dataset that other tools read: ``form`` is "hf", "webdataset" or "mds".

    Raises:
        OmniError: wrong options, nothing to export, or a folder that holds something else.

    Example:
        >>> report = api.export("project", "webdataset", "tars", samples_per_shard=4)
        >>> [(each.name, each.samples) for each in report.corpora]
        [('text-text_files', 6)]
    """
    store = Store(root, asked.shards)
    prepared(store, ())
    with store.lease("omni-ray export"), ExitStack() as stack:
        return run(
            store,
            asked.form,
            asked.folder,
            modalities=asked.modalities,
            names=asked.names,
            samples_per_shard=asked.samples_per_shard,
            shard_bytes=asked.shard_bytes,
            run=asked.cluster.runner(stack),
            reporter=asked.reporter,
        )


@dataclass
class PushReport(Report):
    """Where the dataset is now.

    Attributes:
        address: of the dataset on the hub.
    """

    address: str

    def lines(self) -> list[str]:
        return [visible(self.address)]


def push(folder: str | Path, name: str, *, private: bool = False, reporter: Reporter | None = None) -> PushReport:
    """Upload an export of the form "hf" to the Hugging Face hub, in one commit.

    Args:
        folder: the export, as :func:`export` left it.
        name: the dataset on the hub, ``org/name``; it is made where it does not exist.
        private: whether to make a new one private.
        reporter: told what is sent.

    Raises:
        OmniError: no export is there, no token or no right to write, or the hub is out of reach.

    Example:
        >>> api.export("project", "hf", "for_the_hub").files
        3
        >>> print(api.push("for_the_hub", "me/notes"))  # doctest: +SKIP
        https://huggingface.co/datasets/me/notes
    """
    mark = Mark.load(Path(folder))
    if mark is None or mark.form != "hf":
        raise OmniError(f"{folder}: contains no export for Hugging Face; run `omni-ray export hf {folder}` first")
    return PushReport(send(Path(folder), name, private=private, say=(reporter or usual()).say))


@verb(PublishOptions)
def publish(root: Path, asked: PublishOptions) -> PublishReport:
    """Send the training files, their media and the configs to another place, as they are in the project.

    Raises:
        OmniError: nothing is combined, a file is not as ``combine`` wrote it, the place holds something else, or cannot be
            written.

    Example:
        >>> api.publish("project", "mounted").sent
        2
    """
    store = Store(root, asked.shards)
    with store.lease("omni-ray export files"), ExitStack() as stack:
        return write_files(store, asked.place, asked.modalities, asked.cluster.runner(stack), asked.told)
