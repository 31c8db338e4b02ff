"""Writing what is committed as a dataset for other tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omni_ray.api.cluster import Cluster
from omni_ray.errors import OmniError
from omni_ray.export.folder import Mark
from omni_ray.export.publish import PublishReport
from omni_ray.export.publish import publish as write_files
from omni_ray.export.push import push as send
from omni_ray.export.run import ExportReport
from omni_ray.export.run import export as run
from omni_ray.pipeline import engine
from omni_ray.pipeline.store import Store
from omni_ray.progress.reporter import Reporter, usual


def export(
    root: str | Path,
    form: str,
    folder: str | Path,
    *,
    modalities: Sequence[str] = (),
    names: Sequence[str] = (),
    samples_per_shard: int | None = None,
    shard_bytes: int | None = None,
    cluster: Cluster | None = None,
    shards: str | None = None,
    reporter: Reporter | None = None,
) -> ExportReport:
    """Write what is committed as a dataset that other tools read.

    Args:
        root: the project folder.
        form: "hf" (Parquet files and a dataset card), "webdataset" (tar files) or "mds" (MosaicML streaming).
        folder: a new or empty folder, or one that holds an earlier export of the same form, which is replaced.
        modalities, names: only these modalities and corpora; none for all.
        samples_per_shard, shard_bytes: length of tar and MDS files; not both. Default: about 256 and 64 MiB.
        cluster, shards, reporter: as for :func:`prepare`.

    Raises:
        OmniError: wrong options, nothing to export, or a folder that holds something else.
    """
    store = Store(root, shards)
    if not store.corpora():
        raise OmniError(f"{store.storage.shown}: nothing is prepared here; run `omni-ray prepare` first")
    with store.lease("omni-ray export"):
        return run(
            store,
            form,
            folder,
            modalities=modalities,
            names=names,
            samples_per_shard=samples_per_shard,
            shard_bytes=shard_bytes,
            session=(cluster or Cluster()).session,
            reporter=reporter,
        )


def push(folder: str | Path, name: str, *, private: bool = False, reporter: Reporter | None = None) -> str:
    """Upload an export of the form "hf" to the Hugging Face hub, in one commit.

    Args:
        folder: the export, as :func:`export` left it.
        name: the dataset on the hub, ``org/name``; it is made where it does not exist.
        private: whether to make a new one private.
        reporter: told what is sent.

    Returns:
        The address of the dataset.

    Raises:
        OmniError: no export is there, no token or no right to write, or the hub is out of reach.
    """
    mark = Mark.load(Path(folder))
    if mark is None or mark.form != "hf":
        raise OmniError(f"{folder}: holds no export for Hugging Face; run `omni-ray export hf {folder}` first")
    return send(Path(folder), name, private=private, say=(reporter or usual()).say)


def publish(
    root: str | Path,
    place: str,
    *,
    modalities: Sequence[str] = (),
    cluster: Cluster | None = None,
    shards: str | None = None,
    reporter: Reporter | None = None,
) -> PublishReport:
    """Send the training files, their media and the configs to another place, as they lie in the project.

    Args:
        root: the project folder.
        place: a folder, or a place on an object store, such as ``s3://bucket/prefix``, that training jobs mount. What an
            earlier call sent there is replaced where it changed; nothing else is touched.
        modalities: only these; none for all that were combined.
        cluster, shards, reporter: as for :func:`prepare`.

    Raises:
        OmniError: nothing is combined, a file is not as ``combine`` wrote it, the place holds something else, or cannot be
            written.
    """
    store = Store(root, shards)
    with store.lease("omni-ray export files"):
        return write_files(store, place, modalities, (cluster or Cluster()).session, engine.on_ray, reporter or usual())
