"""Imports that come later than at the head of a module: when a name is asked for, or beside other work."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any


def later(package: str, homes: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The ``__getattr__`` of ``package``, whose names are imported from the module that defines each, with all that it brings."""
    home_of = {name: home for home, names in homes.items() for name in names}

    def find(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with uncollected():
            return getattr(import_module(home_of[name]), name)

    return find


@contextmanager
def uncollected() -> Iterator[None]:
    """Within the block nothing is looked through for garbage: imports make a hundred thousand objects, which all stay."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
