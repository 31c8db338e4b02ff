"""The four modalities by name; each is imported only when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from omni_ray.modalities.base import Modality

_CLASSES = {"text": "Text", "audio": "Audio", "images": "Images", "ocr": "Ocr"}


def modality(name: str) -> Modality[Any]:
    """The modality called ``name``. Raises KeyError."""
    return getattr(import_module(f"omni_ray.modalities.{name}"), _CLASSES[name])()  # type: ignore[no-any-return]
