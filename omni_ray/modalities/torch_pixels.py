"""Many pictures at once on a torch device: resizing, and JPEG decoding by nvJPEG.

The arithmetic is that of :func:`omni_ray.modalities.pixels.resize`, in float32: rows, rounded and saturated to 8 bits,
then columns. Results differ from it by at most one grey level, two at a few sharp lines. The device may be the processor itself.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch

from omni_ray.errors import OmniError
from omni_ray.modalities import pixels

_BYTES_AT_ONCE = 64 << 20
"""Pixels that are on the device together; as float32 they take four times that, and the rows' result as much again."""


class Resizer:
    """Resizes lists of pictures; holds one buffer for what goes to the device, page-locked for a GPU."""

    def __init__(self, device: str) -> None:
        self._device = torch.device(device)
        self._is_gpu = self._device.type == "cuda"
        self._buffer = torch.empty(0, dtype=torch.uint8)

    def __call__(self, pictures: Sequence[Any], size: int, fit: str) -> list[pixels.Pixels]:
        """As many uint8 arrays of (size, size, 3), in the same order.

        Args:
            pictures: uint8, (height, width, 3): arrays, or tensors on the device.
            size, fit: as for :func:`omni_ray.modalities.pixels.resize`.
        """
        done: dict[int, pixels.Pixels] = {}
        framed = [pixels.framed(picture, fit) for picture in pictures]
        # Pictures of one shape are side by side and are resized by one call.
        order = sorted(range(len(framed)), key=lambda i: (isinstance(framed[i], torch.Tensor), *framed[i].shape[:2]))
        for batch in _batches(order, framed):
            done.update(zip(batch, self._resize([framed[i] for i in batch], size, fit), strict=True))
        return [done[i] for i in range(len(framed))]

    def _resize(self, pictures: list[Any], size: int, fit: str) -> list[pixels.Pixels]:
        on_device = isinstance(pictures[0], torch.Tensor)
        flat = None if on_device else self._on_device(pictures)
        small: list[torch.Tensor] = []
        at = 0
        with torch.inference_mode():
            for (height, width, _), group in groupby(pictures, key=lambda picture: tuple(picture.shape)):
                same = list(group)
                if flat is None:
                    batch = torch.stack([picture.permute(2, 0, 1) for picture in same])
                else:
                    taken = flat[at : at + len(same) * height * width * 3]
                    at += taken.numel()
                    batch = taken.view(len(same), height, width, 3).permute(0, 3, 1, 2)
                small += _two_passes(batch, *pixels.inner_size(height, width, size, fit)).permute(0, 2, 3, 1)
            # One copy back for all shapes: each would wait for the device separately.
            together = torch.cat([inner.reshape(-1) for inner in small]).cpu().numpy()
        ends = np.cumsum([inner.numel() for inner in small])
        arrays = np.split(together, ends[:-1])
        return [
            pixels.on_grey(array.reshape(tuple(inner.shape)), size) for array, inner in zip(arrays, small, strict=True)
        ]

    def _on_device(self, pictures: list[Any]) -> torch.Tensor:
        total = sum(picture.size for picture in pictures)
        if self._buffer.numel() < total:
            self._buffer = torch.empty(max(total, _BYTES_AT_ONCE), dtype=torch.uint8, pin_memory=self._is_gpu)
        staged = self._buffer[:total]
        room = staged.numpy()
        at = 0
        for picture in pictures:
            np.copyto(room[at : at + picture.size].reshape(picture.shape), picture)
            at += picture.size
        # The copy back in _resize waits for the device, so that the buffer is free again by then.
        return staged.to(self._device, non_blocking=True)


def _batches(order: list[int], framed: list[Any]) -> list[list[int]]:
    """``order`` in runs of at most :data:`_BYTES_AT_ONCE`, arrays and tensors separately."""
    batches: list[list[int]] = []
    room, kind = 0, None
    for i in order:
        size = int(np.prod(framed[i].shape))
        if not batches or size > room or isinstance(framed[i], torch.Tensor) is not kind:
            batches.append([])
            room, kind = _BYTES_AT_ONCE, isinstance(framed[i], torch.Tensor)
        batches[-1].append(i)
        room -= size
    return batches


def _two_passes(batch: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """uint8 (n, 3, ., .) to uint8 (n, 3, height, width)."""
    if batch.shape[2:] == (height, width):
        return batch
    values = batch.float()
    for size in ((batch.shape[2], width), (height, width)):
        if values.shape[2:] != size:
            values = torch.nn.functional.interpolate(values, size, mode="bicubic", antialias=True)
            values = values.round_().clamp_(0, 255)
    return values.to(torch.uint8)


def nvjpeg_decoder(device: str) -> Callable[[Sequence[bytes]], list[torch.Tensor | None]]:
    """A function from files to uint8 tensors of (height, width, 3) on ``device``, None for those it leaves alone.

    It leaves alone what is not a plain, whole, upright JPEG. It decodes in full: nvJPEG has no scaled decoding, and its
    chroma upsampling is its own, so that pixels differ from libjpeg's by a few grey levels at coloured edges.

    Raises:
        OmniError: torchvision is not installed.
    """
    try:
        from torchvision.io import ImageReadMode, decode_jpeg
    except ImportError as error:
        raise OmniError("nvJPEG needs torchvision; pip install 'omni-ray[gpu]'") from error

    def decode(files: list[torch.Tensor]) -> list[torch.Tensor | None]:
        try:
            return [t.permute(1, 2, 0) for t in decode_jpeg(files, mode=ImageReadMode.RGB, device=device)]
        except RuntimeError:
            # One bad file fails the call; which files share a call must not show in the result.
            return [None] if len(files) == 1 else [tensor for file in files for tensor in decode([file])]

    # The decoder only reads what torch is told it might write to.
    warnings.filterwarnings("ignore", "The given buffer is not writable")

    def predecode(data: Sequence[bytes]) -> list[torch.Tensor | None]:
        plain = [i for i, file in enumerate(data) if pixels.is_plain_jpeg(file)]
        found: list[torch.Tensor | None] = [None] * len(data)
        files = [torch.frombuffer(data[i], dtype=torch.uint8) for i in plain]
        for i, tensor in zip(plain, decode(files) if files else [], strict=True):
            found[i] = tensor
        return found

    return predecode
