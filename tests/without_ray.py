"""Commands that do in this process what does not need Ray."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from omni_ray import api
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.session import Connection


@dataclass(frozen=True)
class Here(api.Cluster):
    """Connects to nothing, and maps functions here."""

    def session(self, begun: Connection | None = None) -> AbstractContextManager[None]:
        return nullcontext()

    def run(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        return inline(function, items)
