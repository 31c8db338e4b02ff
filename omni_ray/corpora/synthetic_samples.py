"""Synthetic text, speech, pictures and words as corpora: made while they are read, as many as are asked for."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from omni_ray.corpora.base import Corpus, SourceOptions, UnitDraft
from omni_ray.corpora.bounds import BYTES_A_SECOND, in_a_unit
from omni_ray.errors import SourceError
from omni_ray.synth.clips import engine

if TYPE_CHECKING:
    from omni_ray.sources.tree import Tree
    from omni_ray.synth.samples import Sample

_RECIPE = "synthetic.json"
_MOST = 1_000_000_000
"""The most samples; a larger number is a slip."""
_RECIPE_BYTES = 4096


class _Synthetic(Corpus):
    """Samples 0 to ``samples - 1`` of ``seed``, both from the recipe; asking for more gives the same first ones."""

    name = "synthetic"
    version = 2
    title = "Synthetic samples"
    licence = "CC0 1.0"
    layout = f'{_RECIPE} with {{"seed": 42, "samples": 10000}}'
    manual = f'Write {{"seed": 42, "samples": 10000}} into a file called {_RECIPE}.'
    in_all = False
    samples_per_unit: ClassVar[int]
    sample_bytes: ClassVar[int]
    """The most decoded bytes that one sample may have."""

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        """Ranges of sample numbers."""
        if not tree.exists(_RECIPE):
            return
        seed, samples = _recipe(tree)
        step = in_a_unit(options, self.samples_per_unit, self.sample_bytes)
        for start in range(0, samples, step):
            stop = min(start + step, samples)
            payload = {"seed": seed, "start": start, "stop": stop, **self.settings()}
            yield UnitDraft(payload, (_RECIPE,), stop - start, stop - start)

    def settings(self) -> dict[str, str]:
        """What else the samples depend on, settled before the work is spread over machines."""
        return {}

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The samples of a range."""
        from omni_ray.synth.samples import make_sample

        seed = payload["seed"]
        for i in range(payload["start"], payload["stop"]):
            made = make_sample(self.modality, seed, i, payload.get("speech"))
            row = {"id": f"{seed}-{i:09d}", "where": f"{_RECIPE}#{i}"}
            row |= {"path": f"seed{seed}/{i // 1000:06d}/{i:09d}.{made.ending}"} if made.ending else {}
            yield row | self.columns_of(made, row["id"])

    @abstractmethod
    def columns_of(self, made: Sample, ident: str) -> dict[str, Any]:
        """The columns of a sample that its modality has besides."""


def _recipe(tree: Tree) -> tuple[int, int]:
    try:
        value = json.loads(tree.read(_RECIPE, _RECIPE_BYTES))
        seed, samples = value["seed"], value["samples"]
    except (ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{tree.location}: {_RECIPE} must look like {_Synthetic.layout.partition(' with ')[2]}"
        ) from error
    if type(seed) is not int or type(samples) is not int or not 1 <= samples <= _MOST:
        raise SourceError(
            f"{tree.location}: in {_RECIPE}, seed must be a whole number and samples one from 1 to {_MOST:,}"
        )
    return seed, samples


class SyntheticText(_Synthetic):
    """Passages of two sentences or more."""

    modality = "text"
    samples_per_unit = 20_000
    sample_bytes = 1 << 12

    def columns_of(self, made: Sample, ident: str) -> dict[str, Any]:
        return {"text": made.text, "title": None, "url": None, "lang": "en"}


class SyntheticAudio(_Synthetic):
    """Clips of one to four seconds."""

    modality = "audio"
    samples_per_unit = 200
    sample_bytes = 10 * BYTES_A_SECOND

    def settings(self) -> dict[str, str]:
        return {"speech": engine()}

    def columns_of(self, made: Sample, ident: str) -> dict[str, Any]:
        return {"audio": made.data, "text": made.text, "speaker": made.speaker}


class SyntheticImages(_Synthetic):
    """Drawn pictures with one caption each."""

    modality = "images"
    samples_per_unit = 1000
    sample_bytes = 1 << 17

    def columns_of(self, made: Sample, ident: str) -> dict[str, Any]:
        return {"image": made.data, "captions": [made.text], "category": None}


class SyntheticOcr(_Synthetic):
    """Words, numbers and short phrases in pictures."""

    modality = "ocr"
    samples_per_unit = 500
    sample_bytes = 1 << 16

    def columns_of(self, made: Sample, ident: str) -> dict[str, Any]:
        return {"image": made.data, "words": [{"id": ident, "text": made.text, "quad": None}], "source": None}
