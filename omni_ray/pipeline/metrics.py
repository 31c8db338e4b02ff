"""What a run on a cluster tells Ray's own metrics, which every node serves in the form of Prometheus.

Names there begin with ``ray_``: ``ray_omni_ray_records_total{modality, corpus, outcome}``, whose outcome is "kept" or a reason
code, ``ray_omni_ray_bytes_total{modality, corpus}`` of shards, and ``ray_omni_ray_units_left{modality, corpus}``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from omni_ray.pipeline.manifest import Manifest

_is_told = False


@contextmanager
def told() -> Iterator[None]:
    """Within the block, runs report metrics: they are on a cluster. A private Ray serves no metrics."""
    global _is_told
    before, _is_told = _is_told, True
    try:
        yield
    finally:
        _is_told = before


def of_run() -> Metrics | None:
    """The metrics that a run reports; None where nobody would see them."""
    return Metrics() if _is_told else None


class Metrics:
    """The metrics of this process; made once Ray is connected."""

    def __init__(self) -> None:
        from ray.util.metrics import Counter, Gauge

        corpus = ("modality", "corpus")
        self._records = Counter("omni_ray_records", "Records, by what became of them", (*corpus, "outcome"))
        self._bytes = Counter("omni_ray_bytes", "Bytes of committed shards", corpus)
        self._left = Gauge("omni_ray_units_left", "Units that are still to be made", corpus)

    def committed(self, modality: str, corpus: str, manifest: Manifest, left: int) -> None:
        """A unit is committed."""
        tags = {"modality": modality, "corpus": corpus}
        if kept := manifest.records["kept"]:
            self._records.inc(kept, {**tags, "outcome": "kept"})
        for reason, records in manifest.reasons.items():
            self._records.inc(records, {**tags, "outcome": reason})
        self._bytes.inc(manifest.shard.bytes, tags)
        self._left.set(left, tags)
