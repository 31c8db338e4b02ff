"""Objects in JSON that give a name twice: RFC 8259 leaves open what that means, and parsers drop all but the last value."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

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
            raise ValueError(f"an object with several members called {name}")
        return value

    def get(self, name: str, default: Any = None) -> Any:
        """As of a dict."""
        try:
            return self[name]
        except KeyError:
            return default


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    return made if len(made) == len(pairs) else Ambiguous(pairs)


DECODER = json.JSONDecoder(object_pairs_hook=_object)
"""Python's, with objects that give a name twice as :class:`Ambiguous`."""


def may_be_ambiguous(data: bytes, items: Sequence[Any], names: Sequence[bytes]) -> bool:
    """Whether one of the items that stand in ``data`` may give one of these names twice.

    Args:
        names: in quotation marks, as they are looked for in ``data``; those within other objects and in text count, too.
    """
    members = data.count(b'":')
    for item in items:
        members -= len(item) if type(item) is dict else 0
    if members == 0:
        return False
    most = len(items)
    return any(data.count(name) > most for name in names)
