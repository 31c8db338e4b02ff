"""Imports that come later than at the head of a module: when a name is asked for, or beside other work."""

from __future__ import annotations

import ast
import gc
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any


def later(package: str) -> tuple[Callable[[str], Any], list[str]]:
    """The ``__getattr__`` and the ``__all__`` of a package whose head imports its names under ``if TYPE_CHECKING``.

    A name is imported, with all that it brings, when it is first asked for. Where it is defined is read from the source:
    type checkers need the imports there, and a second list could say something else.
    """
    [block] = [each for each in ast.parse(inspect.getsource(sys.modules[package])).body if isinstance(each, ast.If)]
    imports = [each for each in block.body if isinstance(each, ast.ImportFrom)]
    home_of = {alias.name: str(each.module) for each in imports for alias in each.names}

    def find(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with uncollected():
            return getattr(import_module(home_of[name]), name)

    return find, sorted(home_of)


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
