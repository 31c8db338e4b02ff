"""A corpus is never replaced by one of another source in silence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from omni_ray.corpora.base import SourceOptions
from omni_ray.errors import SourceError
from omni_ray.pipeline.corpus_state import CorpusState
from omni_ray.pipeline.store import CorpusStore
from omni_ray.pipeline.units import Unit
from omni_ray.sources import path_of
from omni_ray.sources.huggingface import looks_like_hub_id
from omni_ray.sources.remote import is_remote


def identities(root: Path, sources: Sequence[str]) -> tuple[str, ...]:
    """What tells sources apart: the real path, relative to the project folder if it is inside; else what the user wrote."""
    return tuple(_identity(root, source) for source in sources)


def refuse_twice(root: Path, sources: Sequence[str]) -> None:
    """Raise SourceError where two of ``sources`` are the same: all of it would be read twice."""
    seen: dict[str, str] = {}
    for identity, source in zip(identities(root, sources), sources, strict=True):
        if identity in seen:
            raise SourceError(f"--source {source}: it is given twice ({seen[identity]} is the same)")
        seen[identity] = source


def _identity(root: Path, source: str) -> str:
    if is_remote(source) or looks_like_hub_id(source):
        return source
    path = path_of(source).resolve()
    inside = root.resolve()
    return path.relative_to(inside).as_posix() if path.is_relative_to(inside) else str(path)


_BESIDE = ("id", "speaker", "title", "lang", "category", "source")
"""Roles of columns that say something about a record. The others are what it is."""


_NOT_ALWAYS_NOTED = ("--config", "--columns", "--media-root", "--follow-links")
"""Options that a corpus of an earlier version says nothing about; of any other one it says that there is a choice at all."""


def choice(options: SourceOptions) -> dict[str, list[str]]:
    """The options that choose among the records of a source, or what they say, as they are noted with a corpus."""
    chosen = {
        "--config": [options.configuration] if options.configuration else [],
        "--split": sorted(options.splits),
        "--language": sorted(options.languages),
        "--evaluation": ["drop"] if options.evaluation == "drop" else [],
        "--columns": sorted(f"{role}={column}" for role, column in options.columns.items()),
        "--media-root": [options.media_root] if options.media_root else [],
        "--keep-columns": [""] if options.keep_columns else [],
        "--follow-links": [""] if options.follow_links else [],
    }
    return {option: values for option, values in chosen.items() if values or option in _NOT_ALWAYS_NOTED}


def refuse_replacement(
    store: CorpusStore, root: Path, sources: Sequence[str], chosen: Mapping[str, Sequence[str]], units: Sequence[Unit]
) -> None:
    """Raise SourceError where ``units`` of other ``sources``, or other records of the same, as ``chosen``, would take the
    place of what is committed.

    A source that grows, that is joined by others, or that was moved, replaces nothing; nor does a wider choice.
    """
    state = store.state()
    if state is None:
        return
    before = _of_state(state, root)
    new = identities(root, sources)
    is_other = bool(before) and not set(before) <= set(new)
    narrowed = _narrowed(state.chosen, chosen)
    if not is_other and not narrowed:
        return
    kept = [manifest for manifest in store.committed().values() if manifest.samples]
    if all(m.unit < len(units) and units[m.unit].fingerprint == m.fingerprint for m in kept):
        return
    if not is_other:
        raise SourceError(
            f"{store.name} was made with {_said(state.chosen, narrowed)}, and with {_said(chosen, narrowed)} some of it would "
            "be left out: give the choice that it was made with, give this one a --name of its own, or start over with "
            "--reset"
        )
    raise SourceError(
        f"{store.name} was made of {', '.join(before)}, which {', '.join(new)} would replace: give them all "
        f"({' '.join(f'--source {each}' for each in dict.fromkeys((*before, *new)))}), give this one a --name of its own, or start over "
        "with --reset"
    )


def _narrowed(before: Mapping[str, Sequence[str]], now: Mapping[str, Sequence[str]]) -> str:
    """The first option that may leave out what was in; "" where none does."""
    return next((option for option in _WIDENS if not _is_wider(option, before, now)), "")


def _is_wider(option: str, before: Mapping[str, Sequence[str]], now: Mapping[str, Sequence[str]]) -> bool:
    if option in _NOT_ALWAYS_NOTED and option not in before:
        return True
    old, new = set(before.get(option, ())), set(now.get(option, ()))
    return old == new or _WIDENS[option](old, new)


def _only_says_more(old: set[str], new: set[str]) -> bool:
    """Whether columns by role give the same records as before, and more of what is said about them."""
    return old <= new and all(pair.startswith(tuple(f"{role}=" for role in _BESIDE)) for pair in new - old)


_WIDENS: Mapping[str, Callable[[set[str], set[str]], bool]] = {
    "--config": lambda old, new: False,  # a card says which it is without the option
    "--split": lambda old, new: bool(old) and old < new,  # without, it is a corpus's own, which need not be all of them
    "--language": lambda old, new: not new or (bool(old) and old <= new),
    "--evaluation": lambda old, new: new <= old,
    "--columns": _only_says_more,
    "--media-root": lambda old, new: not old,
    "--keep-columns": lambda old, new: old <= new,
    "--follow-links": lambda old, new: old <= new,
}
"""By option, whether new values keep all of what other ones gave."""


def _said(chosen: Mapping[str, Sequence[str]], option: str) -> str:
    return " ".join(f"{option} {value}".rstrip() for value in chosen.get(option, ())) or f"no {option}"


def _of_state(state: CorpusState, root: Path) -> tuple[str, ...]:
    """The sources of a corpus; empty where an earlier version did not note them, and they cannot be told."""
    if state.sources:
        return tuple(state.sources)
    return identities(root, [state.source]) if Path(state.source).exists() else ()
