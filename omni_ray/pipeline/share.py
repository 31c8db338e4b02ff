"""How much of a corpus counts, where corpora are mixed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from omni_ray.digests import digest_of_json
from omni_ray.errors import OmniError
from omni_ray.pipeline.corpus_state import CorpusState, Summary
from omni_ray.pipeline.manifest import Manifest

Parts = Sequence[tuple[Manifest, int]]


@dataclass(frozen=True)
class Share:
    """The first samples of a corpus, in canonical order; and its splits to measure on, which mixing does not concern.

    Attributes:
        samples: how many samples to train on.
        of: :func:`digest` of the shards that this was settled for.
    """

    samples: int
    of: str

    def cut(self, parts: Parts, state: CorpusState | None, modality: str) -> Iterator[tuple[Manifest, int]]:
        """The same shards, each with the number of its samples that count; 0 for what is beyond.

        Raises OmniError where the share was settled for other shards.
        """
        if digest(parts) != self.of:
            raise OmniError(
                f"{modality}: shards changed, came or went since the corpora were mixed; run the same `omni-ray combine` again"
            )
        left = self.samples
        for manifest, take in parts:
            if state is not None and state.is_held(manifest.unit):
                yield manifest, take
                continue
            yield manifest, min(take, left)
            left -= min(take, left)

    def take_from(self, total: Summary, whole: Parts, cut: Parts) -> None:
        """Count what is beyond the share separately. Sums are known by shard: they count in proportion to its samples."""
        for (manifest, before), (_, after) in zip(whole, cut, strict=True):
            total.samples -= before - after
            total.beyond_share += before - after
            for key, value in manifest.stats.items():
                if before != after and not key.startswith(("removed.", "mended.")):
                    part = value * (before - after) / manifest.samples
                    total.stats[key] -= int(part) if isinstance(value, int) else part  # type: ignore[assignment]


def is_left_out(manifest: Manifest, take: int) -> bool:
    """Whether a shard is wholly beyond the share: nobody reads it. One without samples is looked at: it may be damaged."""
    return not take and bool(manifest.samples)


def digest(parts: Parts) -> str:
    """What a share is settled for: the shards and how much of each there is."""
    return digest_of_json(as_json(parts))


def as_json(parts: Iterable[tuple[Manifest, int]]) -> list[tuple[str, int]]:
    """The shards by their digests, and how much of each there is: what is made of them depends on no more."""
    return [(manifest.shard.sha256, take) for manifest, take in parts]
