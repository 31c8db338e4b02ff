"""The modalities by name; each is imported only when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from omni_ray.errors import OmniError
from omni_ray.modalities.base import Modality
from omni_ray.trainers.files import all_modalities


def modality(name: str) -> Modality[Any]:
    """The modality called ``name``: the ``MODALITY`` of its module. Raises OmniError where there is none."""
    if name not in all_modalities():
        raise OmniError(f"{name} is not a modality; there are: {', '.join(all_modalities())}")
    return import_module(f"omni_ray.modalities.{name}").MODALITY  # type: ignore[no-any-return]
