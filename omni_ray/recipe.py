"""A recipe's YAML: every value as it is written, with its place; what it means is for the command line.

Values stay text, as on a command line: ``no`` is a language, and ``1_000_000`` a number, to what takes it as one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from omni_ray.errors import OmniError, said_by
from omni_ray.storage import shown, write_atomic

WHERE = "where"
"""The section that says where a recipe runs. It does not change what comes out, and is not part of the hash."""
RECORD = "data/recipe.yaml"
"""The last recipe that was run in a project."""

Content: TypeAlias = "str | list[Value] | dict[str, Value] | None"
Plain: TypeAlias = "str | list[Plain] | dict[str, Plain] | None"


@dataclass
class Value:
    """A value of a recipe.

    Attributes:
        content: text, values, or values by key; None where nothing is written.
        place: where it is: ``recipe.yaml:12``, or ``--set key=value``.
    """

    content: Content
    place: str


class RecipeError(OmniError):
    """What is wrong with a recipe, all of it: a sentence for each problem, with its place."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Value:
    """The recipe in a file, with ``changes`` (``key.key=value``) made to it.

    Raises:
        RecipeError: it cannot be read, is not YAML, or says something twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise RecipeError([f"{path}: is not UTF-8 text"]) from None
    except FileNotFoundError:
        raise RecipeError([f"{path}: no such file; see docs/recipes.md"]) from None
    except OSError as error:
        raise RecipeError([f"{path}: {said_by(error)}"]) from None
    problems: list[str] = []
    recipe = _parsed(text, lambda line: f"{path}:{line}", problems)
    if isinstance(recipe.content, str | list):
        problems.append(f"{recipe.place}: a recipe is sections with their options; see docs/recipes.md")
    if problems:
        raise RecipeError(problems)
    if recipe.content is None:
        recipe.content = {}
    for change in changes:
        key, is_change, value = change.partition("=")
        place = f"--set {change}"
        if is_change and key.strip():
            _set(recipe, key.strip().split("."), _parsed(value, lambda _, place=place: place, problems), problems)  # type: ignore[misc]
        else:
            problems.append(f"{place}: write key=value, such as prepare.max_samples=1000")
    if problems:
        raise RecipeError(problems)
    return recipe


def _parsed(text: str, place: Callable[[int], str], problems: list[str]) -> Value:
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            problems.append(f"{place(1)}: anchors and aliases (&name, *name) are not read; write it out")
            return Value(None, place(1))
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return Value(None, place(1)) if node is None else _value(node, place, problems)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(str(part) for part in (error.context, error.problem) if part)
        problems.append(f"{place(mark.line + 1 if mark else 1)}: is not YAML: {said}")
    except yaml.YAMLError as error:
        problems.append(f"{place(1)}: is not YAML: {' '.join(str(error).split())}")
    except RecursionError:
        problems.append(f"{place(1)}: is nested too deeply")
    return Value(None, place(1))


def _value(node: yaml.Node, place: Callable[[int], str], problems: list[str]) -> Value:
    here = place(node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        return Value([_value(each, place, problems) for each in node.value], here)
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Value] = {}
        for key, value in node.value:
            at = place(key.start_mark.line + 1)
            if not isinstance(key, yaml.ScalarNode):
                problems.append(f"{at}: a key must be a word")
            elif key.value in found:
                problems.append(f"{at}: {key.value} is there twice, first at {found[key.value].place}")
            else:
                found[key.value] = Value(_value(value, place, problems).content, at)
        return Value(found, here)
    return Value(None if node.tag == "tag:yaml.org,2002:null" else node.value, here)


def _set(at: Value, keys: Sequence[str], value: Value, problems: list[str]) -> None:
    """Put ``value`` where ``keys`` lead: names, numbers of a list's entries, or neither for all of them."""
    if not keys:
        at.content, at.place = value.content, value.place
        return
    key, rest = keys[0], keys[1:]
    if isinstance(at.content, list):
        if not at.content:
            problems.append(f"{value.place}: the list at {at.place} is empty")
        elif not key.isdecimal():
            for each in at.content:
                _set(each, keys, value, problems)
        elif int(key) < len(at.content):
            _set(at.content[int(key)], rest, value, problems)
        else:
            problems.append(f"{value.place}: there is no entry {key}; they are counted from 0, and {len(at.content)}")
        return
    if not isinstance(at.content, dict):
        at.content = {}
    _set(at.content.setdefault(key, Value(None, value.place)), rest, value, problems)


def plain(value: Value, *, keep: Callable[[str], str] = lambda text: text) -> Plain:
    """The value as lists, dicts and text, each text as ``keep`` has it."""
    if isinstance(value.content, list):
        return [plain(each, keep=keep) for each in value.content]
    if isinstance(value.content, dict):
        return {key: plain(each, keep=keep) for key, each in value.content.items()}
    return None if value.content is None else keep(value.content)


def digest(recipe: Value) -> str:
    """The recipe's SHA-256: of what it says, not of how it is written, nor of where it runs."""
    content = plain(recipe)
    assert isinstance(content, dict)
    content.pop(WHERE, None)
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def as_yaml(content: Any) -> str:
    """YAML as people write it."""
    return str(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100))


def record(root: Path, recipe: Value) -> None:
    """Note in the project which recipe was run last. Keys of object stores are left out."""
    text = f"# The last recipe that was run here. SHA-256: {digest(recipe)}\n" + as_yaml(plain(recipe, keep=_shown))
    write_atomic(root / RECORD, text.encode())


def recorded(root: Path) -> str | None:
    """What :func:`record` noted; None where no recipe was run."""
    try:
        return (root / RECORD).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _shown(text: str) -> str:
    return shown(text) if "://" in text else text


def entries(section: Value) -> Iterator[Value]:
    """The entries of a section: one, or those of a list."""
    if isinstance(section.content, list):
        yield from section.content
    else:
        yield section
