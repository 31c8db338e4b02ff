"""A corpus is never replaced by one of another source in silence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omni_ray.errors import SourceError
from omni_ray.pipeline.store import CorpusState, CorpusStore
from omni_ray.pipeline.units import Unit
from omni_ray.sources.huggingface import looks_like_hub_id
from omni_ray.sources.remote import is_remote


def identities(root: Path, sources: Sequence[str]) -> tuple[str, ...]:
    """What tells sources apart: the real path, from the project folder where it lies in it; else what the user wrote."""
    return tuple(_identity(root, source) for source in sources)


def _identity(root: Path, source: str) -> str:
    if is_remote(source) or looks_like_hub_id(source):
        return source
    path = Path(source.removeprefix("file://")).expanduser().resolve()
    inside = root.resolve()
    return path.relative_to(inside).as_posix() if path.is_relative_to(inside) else str(path)


def refuse_replacement(store: CorpusStore, root: Path, sources: Sequence[str], units: Sequence[Unit]) -> None:
    """Raise SourceError where ``units`` of other ``sources`` would take the place of what is committed.

    A source that grows, that is joined by others, or that was moved, replaces nothing.
    """
    state = store.state()
    if state is None:
        return
    before = _of_state(state, root)
    new = identities(root, sources)
    if not before or set(before) <= set(new):
        return
    committed = store.committed()
    if all(m.unit < len(units) and units[m.unit].fingerprint == m.fingerprint for m in committed.values()):
        return
    raise SourceError(
        f"{store.name} was made of {', '.join(before)}, which {', '.join(new)} would replace: give them all "
        f"({' '.join(f'--source {each}' for each in (*before, *new))}), give this one a --name of its own, or start over "
        "with --reset"
    )


def _of_state(state: CorpusState, root: Path) -> tuple[str, ...]:
    """The sources of a corpus; empty where an earlier version did not note them, and they cannot be told."""
    if state.sources:
        return tuple(state.sources)
    return identities(root, [state.source]) if Path(state.source).exists() else ()
