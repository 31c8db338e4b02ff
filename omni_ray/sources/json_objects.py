"""Objects in JSON that give a name twice: RFC 8259 leaves open what that means, and parsers drop all but the last value."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from omni_ray.sources.byte_pairs import count_of
from omni_ray.sources.extra import numbered


class Ambiguous(dict[str, Any]):
    """An object with all its values: one whose name was there before is under the name with a number.

    Looking up such a name, with a number or without, is a ValueError.

    Attributes:
        again: the names that are there more than once.
    """

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        super().__init__(zip(numbered(names), (value for _, value in pairs), strict=True))
        count = Counter(names)
        self.again = [name for name in count if count[name] > 1]
        self._once = {name for name in count if count[name] == 1}

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if name not in self._once:
            raise ValueError(_fault(name))
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """As of a dict."""
        try:
            return self[name]
        except KeyError:
            return default

    @property
    def fault(self) -> str:
        """What is wrong with it, for a person."""
        return _fault(self.again[0])


def _fault(name: str) -> str:
    return f"an object with several members called {name}"


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of names and values: an :class:`Ambiguous` one where it gives a name twice."""
    made = dict(pairs)
    return made if len(made) == len(pairs) else Ambiguous(pairs)


DECODER = json.JSONDecoder(object_pairs_hook=object_of)
"""Python's, with objects that give a name twice as :class:`Ambiguous`."""


def loads(data: str | bytes) -> Any:
    """As of the standard library, with objects that give a name twice as :class:`Ambiguous`. Raises ValueError, RecursionError."""
    return json.loads(data, object_pairs_hook=object_of)


def may_be_ambiguous(data: bytes, items: Sequence[Any]) -> bool:
    """Whether an object in ``data``, however deep, may give a name twice: whether more names are written there than the
    ``items`` have that a parser made of it.

    Names with a blank behind them, and quotation marks in text, are counted only where the others do not add up: each look
    through short data takes as long as half of its parsing.
    """
    written, has = count_of(data, b'":'), 0
    for item in items:
        has += len(item) if type(item) is dict else 0
    if written == has:
        return False
    has = sum(map(_members, items))
    if written == has:
        return False
    # Behind two backslashes a quotation mark may end a name.
    in_text = 0 if b'\\\\"' in data else count_of(data, b'\\":') + data.count(b'\\" :')
    return written + count_of(data, b'" :') - in_text != has


def _members(value: Any) -> int:
    """How many members the objects in a value have, but for those in a list that begins with something else."""
    if type(value) is dict:
        return len(value) + sum(map(_members, value.values()))
    return sum(map(_members, value)) if type(value) is list and value and type(value[0]) in (dict, list) else 0
