"""Who makes pictures: this processor, one at a time, or threads and a GPU, many at a time.

Both do the same three things to every picture that a modality hands them: decode, resize, encode. The GPU's part is
the middle (and, with nvJPEG, the first); threads decode the next pictures and encode the last ones meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from itertools import islice
from typing import Any, TypeVar

from omni_ray.errors import OmniError
from omni_ray.modalities import pixels
from omni_ray.records import Rejected

Pair = TypeVar("Pair")
Decode = Callable[[bytes, int | None], tuple[Any, tuple[int, int]]]
"""As :func:`omni_ray.modalities.pixels.decode`; the pixels may also be a tensor of that shape on the GPU."""


@dataclass(frozen=True)
class Cut:
    """One picture to be made: decoded pixels, or a tensor like them, and what makes a shard row of the encoded bytes."""

    picture: Any
    finish: Callable[[bytes], dict[str, Any]]


_ROWS_A_TASK = 8
"""Rows that a thread is given together: a Future for each would take a tenth of an actor's time."""
CutUp = Callable[[Mapping[str, Any], Decode], Iterable[Cut | Rejected]]
"""A raw row and a decoder to the pictures in it, and what of it cannot be used."""


Engine = Callable[
    [Iterable[Mapping[str, Any]], CutUp, int, str, Callable[[Any], bytes]], Iterator[dict[str, Any] | Rejected]
]
"""Rows, what cuts them up, a size, a fit and an encoder to shard rows and rejects, in the order of the rows."""


def one_by_one(
    rows: Iterable[Mapping[str, Any]], cut_up: CutUp, size: int, fit: str, encode: Callable[[Any], bytes]
) -> Iterator[dict[str, Any] | Rejected]:
    """On this processor: nothing is held but the picture at hand."""
    for row in rows:
        for cut in cut_up(row, pixels.decode):
            yield cut if isinstance(cut, Rejected) else cut.finish(encode(pixels.resize(cut.picture, size, fit)))


class Batched:
    """On threads and a torch device.

    Args:
        resize: many pictures, a size and a fit to as many uint8 arrays of (size, size, 3).
        threads: how many decode and encode.
        at_once: rows that are decoded together.
        predecode: encoded files to tensors, None for each that the CPU should decode.
    """

    def __init__(
        self,
        resize: Callable[[Sequence[Any], int, str], list[pixels.Pixels]],
        threads: int,
        at_once: int,
        predecode: Callable[[Sequence[bytes]], list[Any | None]] | None = None,
    ) -> None:
        self._resize = resize
        self._predecode = predecode
        self._at_once = at_once
        self._threads = ThreadPoolExecutor(threads)
        self._ahead = ThreadPoolExecutor(1)

    def __call__(
        self, rows: Iterable[Mapping[str, Any]], cut_up: CutUp, size: int, fit: str, encode: Callable[[Any], bytes]
    ) -> Iterator[dict[str, Any] | Rejected]:
        waiting = iter(rows)
        encoding: list[Future[list[dict[str, Any] | Rejected]]] = []
        decoding = self._start(waiting, cut_up)
        while decoding:
            cuts = [cut for future in decoding.result() for cut in future.result()]
            decoding = self._start(waiting, cut_up)  # goes on while these are resized
            made = iter(self._resize([cut.picture for cut in cuts if isinstance(cut, Cut)], size, fit))
            pairs = [(cut, None if isinstance(cut, Rejected) else next(made)) for cut in cuts]
            yield from (row for done in encoding for row in done.result())
            encoding = [self._threads.submit(_finish, some, encode) for some in _some(pairs)]
        yield from (row for done in encoding for row in done.result())

    def _start(
        self, waiting: Iterator[Mapping[str, Any]], cut_up: CutUp
    ) -> Future[list[Future[list[Cut | Rejected]]]] | None:
        rows = list(islice(waiting, self._at_once))
        return self._ahead.submit(self._decode, rows, cut_up) if rows else None

    def _decode(self, rows: list[Mapping[str, Any]], cut_up: CutUp) -> list[Future[list[Cut | Rejected]]]:
        ready = self._predecode([row["image"] or b"" for row in rows]) if self._predecode else [None] * len(rows)
        decoders = [pixels.decode if tensor is None else partial(_given, tensor) for tensor in ready]
        pairs = list(zip(rows, decoders, strict=True))
        return [self._threads.submit(_cut_up, some, cut_up) for some in _some(pairs)]


def _given(tensor: Any, data: bytes, target: int | None) -> tuple[Any, tuple[int, int]]:
    height, width, _ = tensor.shape
    return tensor, (width, height)


def _some(pairs: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
    """What a thread is given together."""
    return (pairs[start : start + _ROWS_A_TASK] for start in range(0, len(pairs), _ROWS_A_TASK))


def _cut_up(rows: Sequence[tuple[Mapping[str, Any], Decode]], cut_up: CutUp) -> list[Cut | Rejected]:
    return [cut for row, decode in rows for cut in cut_up(row, decode)]


def _finish(
    cuts: Sequence[tuple[Cut | Rejected, Any]], encode: Callable[[Any], bytes]
) -> list[dict[str, Any] | Rejected]:
    return [cut if isinstance(cut, Rejected) else cut.finish(encode(made)) for cut, made in cuts]


def gpu_engine() -> str:
    """The engine of a machine with a GPU: with nvJPEG where torchvision is installed."""
    return "cuda-nvjpeg" if find_spec("torchvision") else "cuda"


_threads, _at_once = 1, 128


def use_threads(threads: int, at_once: int) -> None:
    """How many threads a GPU engine of this process may use, and how many rows it takes at a time; set before its
    first picture.
    """
    global _threads, _at_once
    _threads, _at_once = max(1, threads), max(1, at_once)


@cache
def engine(name: str) -> Engine:
    """The engine called ``name``, one for the process.

    Raises:
        OmniError: there is no GPU here, or no nvJPEG.
    """
    if name == "cpu":
        return one_by_one
    from omni_ray.modalities import torch_pixels

    if name == "torch-cpu":
        return Batched(torch_pixels.Resizer("cpu"), _threads, _at_once)
    import torch

    if not torch.cuda.is_available():
        raise OmniError("these shards are made on a GPU, and this machine has none that torch can use")
    nvjpeg = torch_pixels.nvjpeg_decoder("cuda") if name == "cuda-nvjpeg" else None
    return Batched(torch_pixels.Resizer("cuda"), _threads, _at_once, nvjpeg)
