"""Finding corpora: the modules of this package, and a file of the user's own."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from omni_ray import corpora
from omni_ray.corpora.base import Corpus, Wrapped
from omni_ray.errors import OmniError
from omni_ray.own_code import run_as
from omni_ray.trainers.files import all_modalities


def _of_module(module: ModuleType) -> Iterator[Corpus]:
    for _, kind in sorted(inspect.getmembers(module, inspect.isclass)):
        is_own = kind.__module__ == module.__name__ and not inspect.isabstract(kind)
        if is_own and issubclass(kind, Corpus) and not issubclass(kind, Wrapped):
            yield kind()


@cache
def _built_in() -> dict[tuple[str, str], Corpus]:
    found = {}
    for info in pkgutil.iter_modules(corpora.__path__):
        for corpus in _of_module(importlib.import_module(f"{corpora.__name__}.{info.name}")):
            found[corpus.modality, corpus.name] = corpus
    return found


GROUP = "omni_ray.corpora"
"""Entry points that name a module of corpora, or a subclass of Corpus."""


@cache
def _installed() -> dict[tuple[str, str], Corpus]:
    """Corpora that installed packages bring; they have to be installed on every node."""
    found: dict[tuple[str, str], Corpus] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            loaded = point.load()
        except Exception as error:
            raise OmniError(
                f"the corpora of the package that brings {point.value} do not load: {type(error).__name__}: {error}"
            ) from error
        for corpus in _of_module(loaded) if inspect.ismodule(loaded) else [loaded()]:
            if (corpus.modality, corpus.name) in {*_built_in(), *found}:
                raise OmniError(f"{point.value}: there is a corpus {corpus.modality}/{corpus.name} already")
            found[corpus.modality, corpus.name] = corpus
    return found


_added: dict[tuple[str, str], Corpus] = {}


_OWN = "omni_ray_user_"
"""What the names of such modules begin with."""


def add_file(path: str | Path) -> list[Corpus]:
    """Add the corpora that a Python file of the user's own defines.

    The file travels to the workers by value: nothing needs to be installed on them.

    Raises:
        OmniError: there is no such file, it does not run, or it defines no corpus.
    """
    path = Path(path)
    if not path.is_file():
        raise OmniError(f"{path}: no such file; --corpus-file takes a Python file that defines a Corpus")
    name = f"{_OWN}{path.stem}"
    sys.modules[name] = module = ModuleType(name)
    data = path.read_bytes()
    run_as(module, path, data)
    found = list(_of_module(module))
    if not found:
        raise OmniError(f"{path}: defines no concrete subclass of omni_ray.corpora.Corpus")
    for corpus in found:
        type(corpus).code = hashlib.sha256(data).hexdigest()
    _added.update({(corpus.modality, corpus.name): corpus for corpus in found})
    return found


def own_modules() -> list[ModuleType]:
    """The modules of the user's own files, which workers do not have."""
    return [module for name, module in sys.modules.items() if name.startswith(_OWN)]


def all_corpora(modality: str | None = None) -> list[Corpus]:
    """Every corpus there is, by modality and then name."""
    order = all_modalities()
    known = {**_built_in(), **_installed(), **_added}.values()
    chosen = [c for c in known if modality is None or c.modality == modality]
    return sorted(chosen, key=lambda c: (order.index(c.modality), c.name))


def select(modality: str, datasets: str | Sequence[str]) -> list[Corpus]:
    """The corpora that ``--dataset`` names, each once: by name, by category, or ``all``.

    Raises:
        OmniError: there is no corpus or category of that name, with the nearest one.
    """
    each = [datasets] if isinstance(datasets, str) else datasets
    return list({corpus.name: corpus for dataset in each for corpus in _select(modality, dataset)}.values())


def _select(modality: str, dataset: str) -> list[Corpus]:
    known = all_corpora(modality)
    wanted = dataset.lower().replace("-", "_")
    by_name = {c.name: c for c in known}
    if wanted in by_name:
        return [by_name[wanted]]
    if wanted in {c.name.replace("_", "") for c in known}:
        return [c for c in known if c.name.replace("_", "") == wanted]
    usual = [c for c in known if c.in_all]
    if wanted == "all":
        return usual
    categories = sorted({category for c in usual for category in c.categories})
    if wanted in categories:
        return [c for c in usual if wanted in c.categories]
    names = ["all", *categories, *by_name]
    near = difflib.get_close_matches(wanted, names, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(names)}"
    raise OmniError(f"{modality} has no dataset or category called {dataset}; {hint}")
