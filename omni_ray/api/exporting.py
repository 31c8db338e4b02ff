"""Writing what is committed as a dataset for other tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omni_ray.api.cluster import Cluster
from omni_ray.errors import OmniError
from omni_ray.pipeline.progress import Reporter
from omni_ray.pipeline.store import Store

if TYPE_CHECKING:
    from omni_ray.export.run import ExportReport


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
    from omni_ray.export.run import export as run

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
