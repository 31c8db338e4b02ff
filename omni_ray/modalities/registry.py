"""The modalities by name; each is imported only when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from omni_ray.errors import OmniError
from omni_ray.modalities.base import Modality
from omni_ray.trainers.files import all_modalities

CLASSES = {
    "text": "omni_ray.modalities.text:Text",
    "audio": "omni_ray.modalities.audio:Audio",
    "images": "omni_ray.modalities.images:Images",
    "ocr": "omni_ray.modalities.ocr:Ocr",
}
"""Where each one is described."""


def modality(name: str) -> Modality[Any]:
    """The modality called ``name``. Raises OmniError where there is none."""
    if name not in CLASSES:
        raise OmniError(f"{name} is not a modality; there are: {', '.join(all_modalities())}")
    module, _, kind = CLASSES[name].partition(":")
    return getattr(import_module(module), kind)()  # type: ignore[no-any-return]
