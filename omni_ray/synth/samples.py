"""A sample of each modality, as the tiny training files and the synthetic corpora have it."""

from __future__ import annotations

from typing import NamedTuple

from omni_ray.synth.book import make_text
from omni_ray.synth.clips import Engine, encoded, make_clip
from omni_ray.synth.pictures import make_picture
from omni_ray.synth.word_images import make_word_image
from omni_ray.trainers.speech import SAMPLING_RATE


class Sample(NamedTuple):
    """What is said, and except for text the encoded medium, with the ending of its name; of speech, who speaks."""

    text: str
    data: bytes = b""
    ending: str = ""
    speaker: str | None = None


def make_sample(modality: str, seed: int, i: int, speech: Engine | None = None) -> Sample:
    """Sample ``i``; ``speech`` as for :func:`make_clip`."""
    if modality == "text":
        return Sample(make_text(seed, i, i + 1)[0])
    if modality == "audio":
        clip = make_clip(seed, i, speech)
        return Sample(clip.text, encoded(clip.pcm, SAMPLING_RATE, "FLAC"), "flac", clip.speaker)
    if modality == "images":
        picture = make_picture(seed, i)
        # One caption for each picture: contrastive training takes two captions of a picture for opposites.
        return Sample(picture.captions[i % len(picture.captions)], picture.jpeg, "jpg")
    word = make_word_image(seed, i)
    return Sample(word.label, word.jpeg, "jpg")
