"""The training configurations as files: read, checked, changed in place, written whole or not at all.

Everything that is not changed stays: keys, their order, and how numbers are written. Files are written with an indentation of
two spaces and lists on one line.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from omni_ray.errors import OmniError, said_by
from omni_ray.ours import Ledger, digest_of, keep_copy
from omni_ray.storage import remove_temporaries, write_atomic

NAMES = ("thinker", "audio_enc", "vision", "talker", "omni_sft", "ocr", "vocoder")
"""The seven configurations, in the order of training."""
FOLDER = "configs"
_WRITTEN = "data/.omni/configs.json"
"""Notes which configurations are as a plan wrote them, relative to the project root."""
_MAX_BYTES = 1 << 20
_HALVES = re.compile("[\ud800-\udfff]")


def file_name(name: str) -> str:
    """The file of a configuration, relative to the project root."""
    return f"{FOLDER}/{name}_tiny.json"


@dataclass(frozen=True)
class KeyChange:
    """One key that is to change; ``key`` is dotted inside nested objects, ``old`` is None where it was absent."""

    key: str
    old: Any
    new: Any
    why: str


@dataclass
class Config:
    """One configuration.

    Attributes:
        name: one of :data:`NAMES`.
        original: the file as it is; "" where there is none, and the defaults stand in.
    """

    name: str
    values: dict[str, Any]
    original: str = ""
    changes: list[KeyChange] = field(default_factory=list)

    @property
    def is_new(self) -> bool:
        """Whether there is no such file yet."""
        return not self.original

    def get(self, key: str, default: Any = None) -> Any:
        """A value by its dotted key."""
        value: Any = self.values
        for part in key.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return default
            value = value[part]
        return value

    def set(self, key: str, new: Any, why: str) -> None:
        """Change a value by its dotted key, and remember why. The same value is no change."""
        old = self.get(key)
        if old == new and type(old) is type(new):
            return
        inner = self.values
        *above, last = key.split(".")
        for part in above:
            inner = inner.setdefault(part, {})
        inner[last] = new
        self.changes.append(KeyChange(key, old, new, why))

    def text(self) -> str:
        """The file as it should be."""
        return dump(self.values) + "\n" if self.changes or self.is_new else self.original

    def diff(self) -> str:
        """What would change in the file, as a unified diff; "" where nothing would."""
        name = file_name(self.name)
        lines = difflib.unified_diff(
            self.original.splitlines(), self.text().splitlines(), name if self.original else "/dev/null", name,
            lineterm="", n=1,
        )  # fmt: skip
        return "\n".join(lines)

    def write(self, root: Path) -> bool:
        """Write the file if it would change; returns whether it was.

        What was there is kept beside it as ``.bak``, and an older ``.bak`` stays; what a plan wrote is replaced.
        """
        text = self.text()
        if text == self.original:
            return False
        name = file_name(self.name)
        path, data = (root / name).resolve(), text.encode()
        remove_temporaries(path.parent)
        ledger = Ledger.load(root / _WRITTEN, root)
        if self.original and not ledger.is_ours(name):
            keep_copy(path)
        ledger.expect(name, (len(data), digest_of(data)))
        write_atomic(path, data)
        ledger.wrote(name)
        ledger.save()
        return True


def read(root: Path, name: str) -> Config:
    """A configuration of the project, or the default one where there is no such file.

    Raises:
        OmniError: the file cannot be read, or is not a JSON object.
    """
    path = root / file_name(name)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Config(name, default(name))
    except OSError as error:
        raise OmniError(f"{file_name(name)}: {said_by(error)}") from error
    if len(data) > _MAX_BYTES:
        raise OmniError(f"{file_name(name)}: is {len(data):,} bytes long; this is not a training configuration")
    try:
        text = data.decode("utf-8")
        return Config(name, _parse(text), text)
    except UnicodeDecodeError as error:
        raise OmniError(f"{file_name(name)}: is not UTF-8 at byte {error.start}") from error
    except (ValueError, RecursionError) as error:
        raise OmniError(f"{file_name(name)}: is not valid JSON: {error}") from error


def default(name: str) -> dict[str, Any]:
    """A fresh copy of the default configuration ``name``."""
    text = resources.files("omni_ray.training").joinpath("defaults", f"{name}_tiny.json").read_text("utf-8")
    return _parse(text)


class _WrittenNumber(float):
    """A number that remembers how it was written (``3e-4`` stays ``3e-4``)."""

    text: str

    def __new__(cls, text: str) -> _WrittenNumber:
        value = super().__new__(cls, text)
        value.text = text
        return value

    def __deepcopy__(self, memo: Any) -> _WrittenNumber:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return (_WrittenNumber, (self.text,))


def _parse(text: str) -> dict[str, Any]:
    """Raises ValueError (such as JSONDecodeError) where ``text`` is not one JSON object without repeated keys."""
    if text.startswith("\ufeff"):
        raise ValueError("it begins with a byte order mark, which the trainers cannot read")
    value = json.loads(
        text, parse_float=_WrittenNumber, parse_constant=_no_constant, object_pairs_hook=_without_repeats
    )  # fmt: skip
    if not isinstance(value, dict):
        raise ValueError("it holds no object at its top")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {repeated!r} is there twice")
    return value


def dump(value: Any) -> str:
    """``value`` as JSON: objects indented by two, lists on one line, numbers as they were written."""
    return "".join(_pieces(value, ""))


def _pieces(value: Any, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        if not value:
            yield "{}"
            return
        deeper = indent + "  "
        yield "{\n"
        for number, (key, inner) in enumerate(value.items()):
            yield f"{deeper}{_plain(key)}: "
            yield from _pieces(inner, deeper)
            yield ",\n" if number < len(value) - 1 else "\n"
        yield indent + "}"
    elif isinstance(value, list | tuple):
        yield "["
        for number, inner in enumerate(value):
            yield from (", " if number else "", *_pieces(inner, indent))
        yield "]"
    elif isinstance(value, _WrittenNumber):
        yield value.text
    else:
        yield _plain(value)


def _plain(value: Any) -> str:
    """One value as JSON, in its own characters unless it has halves of one, which no file can hold."""
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if _HALVES.search(text) else text
