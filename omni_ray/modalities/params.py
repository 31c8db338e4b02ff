"""What the user can choose for each modality's shards: light, because help shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from omni_ray.errors import OmniError
from omni_ray.option import AUDIO, PICTURES, TEXT, Option, what_is_wrong
from omni_ray.trainers.files import ModalityName
from omni_ray.trainers.lines import MAX_LINE_BYTES


@dataclass(frozen=True)
class Params:
    """Everything the user can choose that changes the bytes of a shard. Fields are JSON scalars."""

    def __post_init__(self) -> None:
        if sentence := what_is_wrong(self):
            raise OmniError(sentence)

    def as_json(self) -> dict[str, Any]:
        """The parameters as they enter the shard's fingerprint and manifest."""
        return asdict(self)

    @property
    def device(self) -> str:
        """The torch device whose actors do the transform, "cuda" or "cpu"; empty where plain tasks do."""
        return ""


@dataclass(frozen=True)
class TextParams(Params):
    """How documents become lines.

    Attributes:
        max_line_chars: the longest line wanted. A character counts as many times as it has bytes in UTF-8
            (once in English, twice in Cyrillic, three times in Chinese), which is about how its cost in
            tokens grows. The trainers see the first ``ctx_len - 1`` = 511 tokens of a line and no more;
            English has 3.6 to 4.5 characters a token at vocabularies of 8,000 to 32,000 pieces, so that a
            line of 1,800 stays near or under 511.
    """

    max_line_chars: Annotated[int, Option("Longest line.", TEXT, low=32, high=MAX_LINE_BYTES)] = 1800


@dataclass(frozen=True)
class AudioParams(Params):
    """How clips are made.

    Attributes:
        audio_format: wav is PCM_16.
        min_seconds, max_seconds: shorter and longer clips are quarantined. Default: all of 513 samples and more.
        resampler: "soxr" (soxr HQ) or "torchaudio" (Kaiser-windowed sinc).
        channel: for recordings with several: "mix" is their mean. A row that names a channel of its own takes precedence.
    """

    audio_format: Annotated[Literal["flac", "wav"], Option("Format of the clips.", AUDIO)] = "flac"
    min_seconds: Annotated[float, Option("Shortest clip.", AUDIO, low=0)] = 0.0
    max_seconds: Annotated[float | None, Option("Longest clip.", AUDIO, low=0)] = None
    resampler: Annotated[Literal["soxr", "torchaudio"], Option("What resamples.", AUDIO)] = "soxr"
    channel: Annotated[str, Option("mix, left, right, or a number from 1.", AUDIO)] = "mix"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_seconds is not None and self.max_seconds <= self.min_seconds:
            raise OmniError(f"--max-seconds {self.max_seconds} is not above --min-seconds {self.min_seconds}")
        try:
            channel_number(self.channel)
        except ValueError:
            raise OmniError(f"--channel {self.channel}: give mix, left, right, or a number from 1") from None


_CHANNELS = {"mix": None, "": None, "left": 1, "a": 1, "right": 2, "b": 2}


def channel_number(name: str) -> int | None:
    """The channel that a name means, counted from 1; None for the mean of all. Raises ValueError."""
    name = name.strip().lower()
    if name in _CHANNELS:
        return _CHANNELS[name]
    number = int(name.removesuffix(".0"))
    if number < 1:
        raise ValueError(name)
    return number


ENGINES = ("cpu", "cuda", "cuda-nvjpeg", "torch-cpu")
"""The processor; CPU decoding and GPU resizing; both on the GPU; the GPU's code on the processor, to try it."""


@dataclass(frozen=True)
class PictureParams(Params):
    """How pictures are made.

    Attributes:
        fit: "squash" is what the trainers do.
        engine: who makes them; see :mod:`omni_ray.modalities.picture_engine`. A GPU's shards are not a CPU's.
    """

    size: Annotated[int, Option("Edge in pixels.", PICTURES, low=1, high=8192)] = 224
    fit: Annotated[Literal["squash", "crop", "pad"], Option("How pictures become square.", PICTURES)] = "squash"
    image_format: Annotated[Literal["jpeg", "png"], Option("Format of the pictures.", PICTURES)] = "jpeg"
    quality: Annotated[int, Option("JPEG quality.", PICTURES, low=1, high=100)] = 92
    engine: str = "cpu"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.engine not in ENGINES:
            raise OmniError(f"engine {self.engine}: choose one of {', '.join(ENGINES)}")

    @property
    def ending(self) -> str:
        """The file name ending of the bytes."""
        return {"jpeg": ".jpg", "png": ".png"}[self.image_format]

    @property
    def device(self) -> str:
        """A GPU, the processor as if it were one, or none: then plain tasks do it."""
        return {"cpu": "", "torch-cpu": "cpu"}.get(self.engine, "cuda")


PARAMS: Mapping[ModalityName, type[Params]] = {
    "text": TextParams,
    "audio": AudioParams,
    "images": PictureParams,
    "ocr": PictureParams,
}
"""What can be chosen for each modality."""


def made_on_gpus(modalities: Iterable[str]) -> set[str]:
    """Those of the modalities whose samples a GPU can make."""
    return {name for name, kind in PARAMS.items() if name in set(modalities) and issubclass(kind, PictureParams)}
