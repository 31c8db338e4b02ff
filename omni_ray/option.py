"""What a user may choose, said once: on the field that holds it, as ``Annotated`` metadata of a dataclass.

From these fields come the options of the command line, the keys of recipes, the arguments of :mod:`omni_ray.api`, and the tables
of both in docs/reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

SOURCE = "Source"
MAKE = "What to make"
TEXT = "Only for text"
AUDIO = "Only for audio"
PICTURES = "Only for images and ocr"
WHERE = "Where to run"
OTHER = "Other options"
GROUPS = ("", SOURCE, MAKE, TEXT, AUDIO, PICTURES, WHERE, OTHER)
"""The groups of options in help, in their order. A recipe has what is in WHERE in one place, for all of its commands."""

Made = TypeVar("Made")


@dataclass(frozen=True)
class Option:
    """What describes a field that the user may choose.

    Attributes:
        help: what it does; one line.
        group: one of :data:`GROUPS`.
        flag: on the command line; "" for the field's name. For a field that is True by default, what makes it False.
        metavar: what its value looks like, where the type does not tell; for an argument, which stands on its own, its name.
        low, high: the least and the greatest number.
        off: another flag, which makes the field None, and what that does.
        read: makes the value from text, or from several, where the type does not. Raises ValueError, or OmniError with a whole
            sentence.
        is_argument: whether it stands on its own.
    """

    help: str
    group: str = ""
    flag: str = ""
    metavar: str | None = None
    low: float | None = None
    high: float | None = None
    off: tuple[str, str] | None = None
    read: Callable[[Any], Any] | None = None
    is_argument: bool = False


@dataclass(frozen=True)
class Without:
    """Of a field that holds options itself: the name of one that it has no use for here."""

    name: str


@dataclass(frozen=True)
class Field:
    """A field with its option.

    Attributes:
        name: of the field.
        kind: its type, without metadata.
        default: its value where none is given; ``MISSING`` where one must be.
        option: its description.
    """

    name: str
    kind: Any
    default: Any
    option: Option

    @property
    def flag(self) -> str:
        """As the command line has it."""
        return self.option.flag or f"--{self.name.replace('_', '-')}"

    @property
    def several(self) -> Any:
        """The type of each value, where there may be several; None where there is one."""
        return next(
            (_members(get_args(each)[0])[0] for each in _members(self.kind) if get_origin(each) in (Sequence, tuple)),
            None,
        )

    @property
    def one(self) -> Any:
        """The type of a value, alone or each of several."""
        return self.several or _members(self.kind)[0]

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values there are; none where the choice is open."""
        return get_args(self.one) if get_origin(self.one) is Literal else ()

    def wrong(self, value: Any) -> str:
        """What is wrong with a value, in a sentence; "" where nothing is. Arguments name what there is, which others know."""
        low, high = self.option.low, self.option.high
        values = (
            ()
            if value is None or self.option.is_argument
            else value
            if self.several and not isinstance(value, str)
            else (value,)
        )
        for each in values:
            if self.choices and each not in self.choices:
                return f"{self.flag} {each}: choose one of {', '.join(self.choices)}"
            if (low is not None and each < low) or (high is not None and each > high):
                limits = f"from {low:g} to {high:g}" if None not in (low, high) else f"at least {low:g}"
                return f"{self.flag} {each}: {limits}"
        return ""


def _members(kind: Any) -> list[Any]:
    """The members of a union, without None; the type itself where it is none."""
    members = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    return [each for each in members if each is not NoneType]


def _by_field(kind: Any) -> Iterator[tuple[str, Any, list[Field]]]:
    """Each field that has options: its name, the dataclass that it holds, or None, and the options."""
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        hint = hints[field.name]
        hint, *said = get_args(hint) if get_origin(hint) is Annotated else (hint,)
        inner = next((each for each in _members(hint) if is_dataclass(each)), None)
        if option := next((each for each in said if isinstance(each, Option)), None):
            default = field.default if field.default_factory is MISSING else field.default_factory()
            yield field.name, None, [Field(field.name, hint, default, option)]
        elif inner is not None:
            left_out = {each.name for each in said if isinstance(each, Without)}
            yield field.name, inner, [each for each in options_of(inner) if each.name not in left_out]


def options_of(kind: Any) -> list[Field]:
    """The options of a dataclass, and of dataclasses in its fields."""
    return [each for _, _, options in _by_field(kind) for each in options]


def made(kind: Callable[..., Made], given: Mapping[str, Any]) -> Made:
    """A dataclass made from what was given for its options, by name; further names are taken for its other fields."""
    values = dict(given)
    for name, inner, options in _by_field(kind):
        if inner is not None:
            values[name] = made(inner, {each.name: values.pop(each.name) for each in options if each.name in values})
    return kind(**values)


def what_is_wrong(value: Any) -> str:
    """What is wrong with the options of a dataclass, by their types and limits, in a sentence; "" where nothing is."""
    found = (
        option.wrong(getattr(value, name))
        for name, inner, each in _by_field(type(value))
        if not inner
        for option in each
    )
    return next(filter(None, found), "")
