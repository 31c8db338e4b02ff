"""Which files of a dataset's repository belong to a configuration and a split, as the ``datasets`` library resolves them.

The card (README.md) may list configurations, each with patterns of files for each split. Else a folder is a configuration,
and splits are recognised by names: ``data/train-00000-of-00004.parquet``, then folders, then files named after a split or one
of its aliases (``dev`` for validation).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from omni_ray.errors import SourceError
from omni_ray.sources.kinds import kind_of

Splits = Mapping[str, tuple[str, ...]]
"""Split -> patterns of its files."""

_FRONT = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)
_KEYWORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_MEDIA = ("audio", "picture")
_BESIDE_WORDS = r"[-._ 0-9/]"


@dataclass(frozen=True)
class Chosen:
    """What was asked for.

    Attributes:
        files: in the order of the repository.
        configuration: its name; "" where the repository has none, or all were chosen.
        others: the configurations that were not chosen.
    """

    files: list[str]
    configuration: str = ""
    others: list[str] = field(default_factory=list)


def choose(repository: str, files: Sequence[str], card: str, configuration: str, splits: Sequence[str]) -> Chosen:
    """The files of a configuration and of some splits; all of them where nothing is asked for and nothing overlaps.

    Args:
        card: the text of its README.md, "" for none.
        configuration: its name, "" for the one that the card calls its default, else all.
        splits: names; empty for all.

    Raises:
        SourceError: there is no such configuration or split, or configurations share files and none was named.
    """
    known = configurations(card)
    name = configuration or _default(known)
    if name in known:
        mine, patterns = _of_configuration(known[name], files)
        others = [each for each in known if each != name]
    elif configuration:
        mine, patterns = [file for file in files if configuration in file.split("/")[:-1]], {}
        others = []
        if not mine:
            folders = {file.split("/")[0] for file in files if "/" in file}
            there = ", ".join(list(known)[:20] or sorted(folders)[:20]) or "none"
            raise SourceError(f"{repository}: no configuration {configuration}; there are: {there}")
    else:
        _refuse_shared(repository, known, files)
        mine, patterns, others = list(files), _joined(known), []
    if splits:
        wanted = {file for split in splits for file in _of_split(repository, mine, patterns, split)}
        mine = [file for file in mine if file in wanted]
    elif name in known and patterns:
        mine = [file for file in mine if any(_matches(file, each) for each in patterns.values())]
    if patterns:
        # A table may name media that no pattern does.
        every = tuple(each for said in known.values() for several in patterns_of(said).values() for each in several)
        beside = {file for file in files if kind_of(file).holds in _MEDIA and not _matches(file, every)}
        taken = beside | set(mine)
        mine = [file for file in files if file in taken]
    return Chosen(mine, name, others)


def configurations(card: str) -> dict[str, dict[str, Any]]:
    """Name -> what a card says about each configuration. Empty if its front matter cannot be read."""
    import yaml

    front = _FRONT.match(card.removeprefix("\ufeff"))
    try:
        said = yaml.safe_load(front[1]) if front else None
    except yaml.YAMLError:
        return {}
    listed = said.get("configs") if isinstance(said, dict) else None
    found = [each for each in listed or () if isinstance(each, dict) and "config_name" in each]
    return {str(each["config_name"]): each for each in found}


def patterns_of(configuration: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Split -> patterns, relative to the repository; empty where the card leaves it to the names of files."""
    said = configuration.get("data_files")
    folder = str(configuration.get("data_dir") or "").strip("/")
    if isinstance(said, list) and any(isinstance(each, dict) for each in said):
        each_split = {str(each.get("split")): each.get("path") for each in said if isinstance(each, dict)}
    elif isinstance(said, dict):
        each_split = {str(split): path for split, path in said.items()}
    else:
        each_split = {"train": said} if said else {}
    found = {}
    for split, paths in each_split.items():
        listed = paths if isinstance(paths, list) else [paths]
        found[split] = tuple(f"{folder}/{path}".removeprefix("/").removeprefix("./") for path in listed if path)
    return found


def _default(known: Mapping[str, Mapping[str, Any]]) -> str:
    marked = [name for name, each in known.items() if name == "default" or each.get("default") is True]
    return next(iter(marked or known), "") if marked or len(known) == 1 else ""


def _of_configuration(said: Mapping[str, Any], files: Sequence[str]) -> tuple[list[str], Splits]:
    folder = str(said.get("data_dir") or "").strip("/")
    return [file for file in files if not folder or file.startswith(f"{folder}/")], patterns_of(said)


def _joined(known: Mapping[str, Mapping[str, Any]]) -> Splits:
    found: dict[str, tuple[str, ...]] = {}
    for each in known.values():
        for split, patterns in patterns_of(each).items():
            found[split] = (*found.get(split, ()), *patterns)
    return found


def _refuse_shared(repository: str, known: Mapping[str, Mapping[str, Any]], files: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for name, each in known.items():
        mine, patterns = _of_configuration(each, files)
        every = tuple(pattern for several in patterns.values() for pattern in several)
        for file in mine:
            if not every or _matches(file, every):
                if file in seen:
                    names = ", ".join(list(known)[:20])
                    raise SourceError(
                        f"{repository}: its configurations {seen[file]} and {name} share files; choose one with "
                        f"--config: {names}"
                    )
                seen[file] = name


def _of_split(repository: str, files: Sequence[str], patterns: Splits, split: str) -> list[str]:
    if split in patterns:
        found = [file for file in files if _matches(file, patterns[split])]
    else:
        found = _by_name(files, split) if not patterns else []
    if not found:
        there = ", ".join(list(patterns)[:20]) or "no names of files that say so"
        raise SourceError(f"{repository}: no split {split}; there are: {there}; folders: {folders_of(files)}")
    return found


def _by_name(files: Sequence[str], split: str) -> list[str]:
    sharded = re.compile(rf"data/{re.escape(split)}-\d{{5}}-of-\d{{5}}[^/]*\.[^/]*")
    if found := [file for file in files if sharded.fullmatch(file)]:
        return found
    exact = [file for file in files if split in file.split("/")[:-1]]
    if exact:
        return exact
    keywords = "|".join(map(re.escape, _KEYWORDS.get(split, (split,))))
    word = rf"(?:^|{_BESIDE_WORDS})(?:{keywords})"
    for pattern in (rf"{word}(?:{_BESIDE_WORDS}[^/]*)?/", rf"{word}{_BESIDE_WORDS}[^/]*$"):
        if found := [file for file in files if re.search(pattern, file)]:
            return found
    return []


def folders_of(files: Sequence[str]) -> str:
    """The folders of some files, the first of them by name, for a sentence."""
    return ", ".join(sorted({file.rpartition("/")[0] for file in files if "/" in file})[:8]) or "none"


def _matches(file: str, patterns: Sequence[str]) -> bool:
    return any(_regex(pattern).fullmatch(file) for pattern in patterns)


@lru_cache(maxsize=1024)
def _regex(pattern: str) -> re.Pattern[str]:
    """A glob: ``*`` is anything within a folder, ``**`` anything."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern.strip("/"))
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    made = []
    for part in parts:
        is_class = part.startswith("[") and len(part) > 2
        made.append(part.replace("[!", "[^", 1) if is_class else known.get(part, re.escape(part)))
    return re.compile("".join(made))
