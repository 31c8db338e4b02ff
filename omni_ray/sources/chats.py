"""Documents joined from several columns: conversations, questions with their answers, and what the user joins.

A column may be an expression: ``instruction+input+output`` are three columns, one after the other, and ``roles(messages)``
is a column whose turns say who speaks. Such an expression is kept in a unit's payload like any column's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from omni_ray.records import EXTRA
from omni_ray.sources.cells import as_text, encodable, member
from omni_ray.sources.extra import REST

PLAIN = "plain"
TEMPLATES = (PLAIN, "roles", "chatml")
"""How turns are written: their words alone, a paragraph each; as ``User: words``; as ``<|im_start|>user words<|im_end|>``."""

_CONVERSATIONS = ("messages", "conversations", "conversation")
_SPEAKER = ("role", "from")
"""Keys under which a turn says who speaks; a list of objects without them is no conversation."""
_QUESTIONS = (
    (("instruction", "output"), ("instruction", "input", "output")),
    (("instruction", "response"), ("instruction", "context", "response")),
    (("prompt", "completion"), ("prompt", "completion")),
    (("prompt", "response"), ("prompt", "response")),
)
"""Columns that form a question with its answer, and the columns that are then read, in order."""
_OPTIONAL = frozenset({"system", "input", "context"})
"""Columns that a row of JSON may lack."""
_ROLE = {
    "user": "user human instruction input context prompt question",
    "assistant": "assistant gpt chatgpt bot model output response completion answer",
    "system": "system developer",
    "tool": "tool function observation ipython",
}
_KNOWN = {name: role for role, names in _ROLE.items() for name in names.split()}
_EXPRESSION = re.compile(rf"(?:({'|'.join(TEMPLATES)})\((.+)\)|(.+\+.+))", re.DOTALL)


@dataclass(frozen=True)
class Expression:
    """Columns that are joined to one text, and how their turns are written."""

    columns: tuple[str, ...]
    template: str = PLAIN

    def text(self, row: Mapping[str, Any]) -> str | None:
        """The document of a row; None where all its columns are null.

        Raises:
            ValueError: a column is not there, or holds anything but text or turns.
        """
        if self.columns == (REST,):
            return "\n".join(map(encodable, _strings(list(row.values())))) or None
        turns: list[tuple[str, str]] = []
        for column in self.columns:
            value, is_there = member(row, column)
            if not is_there and column not in _OPTIONAL:
                raise ValueError(f"no column {column}")
            try:
                found = list(_turns(column, value, self.template != PLAIN))
            except ValueError as error:
                raise ValueError(f"column {column} holds {error}") from None
            for speaker, words in found:
                if turns and speaker == turns[-1][0] and not isinstance(value, list):
                    turns[-1] = speaker, f"{turns[-1][1]}\n{words}"
                else:
                    turns.append((speaker, words))
        return "\n".join(_written(speaker, words, self.template) for speaker, words in turns) or None


@lru_cache(maxsize=256)
def expression_of(column: str) -> Expression | None:
    """A column that is an expression; None for a plain name."""
    if column == REST:
        return Expression((REST,))
    match = _EXPRESSION.fullmatch(column)
    if match is None:
        return None
    template, inside, joined = match.groups()
    parts = tuple((inside or joined).split("+"))
    return Expression(parts, template or PLAIN) if all(parts) else None


def parts_of(column: str, there: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns that an expression joins: itself if a column has that name; all for :data:`REST`."""
    if column == REST:
        return tuple(there)
    found = None if column in there else expression_of(column)
    return (column,) if found is None else tuple(part for part in found.columns if part.partition(".")[0] in there)


def used(columns: Mapping[str, str], there: Sequence[str]) -> list[str]:
    """The names of the columns of a file that fill roles; the rest of them, as ``extra``, fills none."""
    return [part for role, column in columns.items() if role != EXTRA for part in parts_of(column, there)]


def chosen(there: Sequence[str], named: str | None, template: str) -> str | None:
    """The column, or the expression, that holds a file's conversations; None where nothing says that it has any.

    Args:
        there: the columns of the file, and those within them.
        named: the column that the user named; else they are found by their names.
        template: one of :data:`TEMPLATES`.
    """
    if named == REST and REST not in there:
        return REST
    if named is None:
        column = next((each for each in _CONVERSATIONS if _holds_turns(each, there)), None)
        if column is not None:
            columns: tuple[str, ...] = ("system", column) if "system" in there else (column,)
        else:
            wanted = next((every for needed, every in _QUESTIONS if set(needed) <= set(there)), ())
            columns = tuple(each for each in ("system", *wanted) if each in there) if wanted else ()
    else:
        found = None if named in there else expression_of(named)
        columns = (named,) if found is None else found.columns
        template = template if found is None or found.template == PLAIN else found.template
        if not set(columns) <= set(there) or (found is None and not _holds_turns(named, there)):
            return None
    joined = "+".join(columns)
    return joined if template == PLAIN or not joined else f"{template}({joined})"


def _strings(value: Any) -> Iterator[str]:
    """All text in a value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for inside in value.values() if isinstance(value, Mapping) else value:
            yield from _strings(inside)


def are_turns(value: Any) -> bool:
    """Whether a list is a conversation."""
    return isinstance(value, list) and bool(value) and _speaker(value[0]) is not None


def _holds_turns(column: str, there: Sequence[str]) -> bool:
    return any(f"{column}.{key}" in there for key in _SPEAKER)


def _turns(column: str, value: Any, needs_speaker: bool) -> Iterator[tuple[str, str]]:
    """Who speaks, and the words. What has no words (a call of a tool) is no turn."""
    if not isinstance(value, list):
        words = as_text(value)
        if words:
            yield _KNOWN.get(column, column), words
        return
    for number, turn in enumerate(value, 1):
        speaker = _speaker(turn)
        if needs_speaker and speaker is None:
            raise ValueError(f"a turn (number {number}) that does not say who speaks")
        words = as_text([turn])
        if words:
            yield speaker or "", words


def _speaker(turn: Any) -> str | None:
    if not isinstance(turn, Mapping):
        return None
    said = next((turn[key] for key in _SPEAKER if isinstance(turn.get(key), str) and turn[key].strip()), None)
    return None if said is None else _KNOWN.get(said.strip().lower(), said.strip())


def _written(speaker: str, words: str, template: str) -> str:
    if template == "roles":
        return f"{speaker[:1].upper()}{speaker[1:]}: {words}"
    return f"<|im_start|>{speaker} {words}<|im_end|>" if template == "chatml" else words
