"""Which documents belong together: connected components of a graph that need not fit in memory.

Edges are in sliced files. Two steps alternate until nothing changes (Kiveris et al. 2014, "Connected Components in
MapReduce and Beyond"): *large star* ties every larger neighbour of a node to the smallest of its neighbourhood, *small
star* ties every smaller neighbour, and the node, to it. Both keep components as they are; at the end every node is tied
to the smallest of its component, which makes the answer independent of the order of anything. A task holds one slice, and
with it all neighbours of its nodes: of the smallest node of a component, in the end, the whole component.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from omni_ray.pipeline.engine import Runner
from omni_ray.quality.hashing import Hashes, begins, mix
from omni_ray.quality.partitions import merged, read_slice, slice_of, write_slices
from omni_ray.storage import Storage

Edges = tuple[Hashes, Hashes]
"""Pairs (larger, smaller)."""


def unique_edges(a: Hashes, b: Hashes) -> Edges:
    """Edges as (larger, smaller), sorted, each once, without loops."""
    high, low = np.maximum(a, b), np.minimum(a, b)
    real = high != low
    high, low = high[real], low[real]
    order = np.lexsort((low, high))
    high, low = high[order], low[order]
    fresh = begins(high, low)
    return high[fresh], low[fresh]


def large_star(node: Hashes, neighbour: Hashes) -> Edges:
    """Every neighbour larger than the node, tied to the smallest of node and neighbours. Both directions are given."""
    node, neighbour, least = _with_least(node, neighbour)
    larger = neighbour > node
    return unique_edges(neighbour[larger], least[larger])


def small_star(node: Hashes, neighbour: Hashes) -> Edges:
    """Every neighbour (all smaller than the node), and the node, tied to the smallest of them."""
    node, neighbour, least = _with_least(node, neighbour)
    return unique_edges(np.concatenate([neighbour, node]), np.concatenate([least, least]))


def _with_least(node: Hashes, neighbour: Hashes) -> tuple[Hashes, Hashes, Hashes]:
    order = np.lexsort((neighbour, node))
    node, neighbour = node[order], neighbour[order]
    heads = np.flatnonzero(begins(node))
    least = np.minimum(node[heads], neighbour[heads])
    return node, neighbour, np.repeat(least, np.diff(np.append(heads, len(node))))


@dataclass(frozen=True)
class _Step:
    storage: Storage
    inputs: tuple[str, ...]
    output: str
    slices: int
    is_large: bool


def _star(step: _Step, number: int) -> tuple[int, int]:
    """One slice of one step. Returns how many edges it wrote, and a sum that changes when they do."""
    edges = read_slice(step.storage, list(step.inputs), number)
    node, neighbour = edges["node"], edges["neighbour"]
    high, low = large_star(node, neighbour) if step.is_large else small_star(node, neighbour)
    name = f"{step.output}-{number:05d}"
    if step.is_large:
        write_slices(step.storage, name, {"node": high, "neighbour": low}, slice_of(high, step.slices), step.slices)
    else:
        write_edges(step.storage, name, (high, low), step.slices)
    return len(high), int((mix(high) ^ mix(low + np.uint64(1))).sum(dtype=np.uint64))


def write_edges(storage: Storage, name: str, edges: Edges, slices: int) -> None:
    """Write edges in both directions, so that every node's slice holds all of its neighbours."""
    high, low = edges
    node, neighbour = np.concatenate([high, low]), np.concatenate([low, high])
    write_slices(storage, name, {"node": node, "neighbour": neighbour}, slice_of(node, slices), slices)


def components(storage: Storage, names: list[str], slices: int, run: Runner) -> list[str]:
    """Tie every node to the smallest of its component.

    Args:
        storage, names: sliced files of edges as :func:`write_edges` leaves them. They are removed on the way.

    Returns:
        Files of edges in both directions in which every node that is not the smallest of its component has exactly one
        smaller neighbour: that smallest one.
    """
    before: list[int] | None = None
    turn = 0
    while True:
        names = merged(storage, names, slices, run)
        mid = merged(storage, _turn(storage, names, f"large-{turn:03d}", slices, True, run)[0], slices, run)
        after, sums = _turn(storage, mid, f"small-{turn:03d}", slices, False, run)
        for name in (*names, *mid):
            storage.delete(name)
        names = after
        if sums == before:
            return merged(storage, names, slices, run)
        before = sums
        turn += 1


def _turn(
    storage: Storage, names: list[str], output: str, slices: int, is_large: bool, run: Runner
) -> tuple[list[str], list[int]]:
    step = _Step(storage, tuple(names), output, slices, is_large)
    done = list(run(partial(_star, step), range(slices)))
    total = sum(s for _, s in done) % (1 << 64)
    return [f"{output}-{number:05d}" for number in range(slices)], [sum(n for n, _ in done), total]
