"""Units: numbered slices of a corpus, each with a fingerprint, decided before any work is done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from omni_ray.records import UnitDraft
    from omni_ray.sources.tree import Tree

ENGINE_VERSION = 2
"""Raised when the engine writes other bytes for the same rows; it makes every shard stale."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of work, of retry and of resume: what one task turns into exactly one shard.

    Attributes:
        index: its number in canonical order, from 0; it names the shard.
        payload: what the corpus needs to read it, as JSON text.
        fingerprint: changes when its inputs, the parameters or the code's version change.
        inputs, stamp: the files it is made from, and their digest when it was indexed: a unit whose inputs changed
            while it was read is not committed.
        records: input records in it, where the index knows.
        samples: samples expected of it, where the index can tell.
    """

    index: int
    payload: str
    fingerprint: str
    inputs: tuple[str, ...]
    stamp: str
    records: int | None
    samples: int | None


def number_units(drafts: Iterator[UnitDraft], tree: Tree, salt: Mapping[str, Any]) -> list[Unit]:
    """Number and fingerprint the drafts of a corpus.

    Args:
        drafts: in canonical order.
        tree: where their inputs are.
        salt: JSON value of everything else that decides a shard's bytes (corpus, name, version, parameters).
    """
    constant = _canonical({"engine": ENGINE_VERSION, **salt})
    units = []
    for index, draft in enumerate(drafts):
        payload = _canonical(draft.payload)
        stamp = tree.stamp(draft.inputs)
        digest = hashlib.sha256()
        for part in (constant, payload, stamp):
            digest.update(part.encode("utf-8", "surrogatepass"))
            digest.update(b"\0")
        units.append(Unit(index, payload, digest.hexdigest(), draft.inputs, stamp, draft.records, draft.samples))
    return units


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def prefixes(units: Sequence[Unit], limit: int | None) -> Iterator[int]:
    """Ever longer prefixes of ``units``, as lengths, to be run one after the other until ``limit`` samples are kept.

    They depend on the index alone, not on what the runs find: an interrupted and repeated run makes the same
    shards as an undisturbed one. The first prefix is the shortest that would do if nothing were rejected; each
    later one adds half as much again. Units whose samples nobody can tell are taken eight at a time.
    """
    if limit is None or not units:
        yield len(units)
        return
    expected = 0
    end = 0
    while end < len(units) and (expected < limit or end == 0):
        samples = units[end].samples
        expected += samples if samples is not None else -(-limit // 8)
        end += 1
    yield end
    while end < len(units):
        end = min(len(units), end + max(4, end // 2))
        yield end
