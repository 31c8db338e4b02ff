"""How help looks: options in groups, every command's summary whole; and wrong usage is one line, as all that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from omni_ray.cli.printing import echo
from omni_ray.option import OTHER

_WHOLE = 1000
"""Characters of a summary: more than any has."""


_WRONG_USAGE = cast("tuple[type[Exception], ...]", typer.BadParameter.__bases__)
"""Click's UsageError, which typer does not give out by name."""


@contextmanager
def _in_one_line() -> Iterator[None]:
    try:
        yield
    except _WRONG_USAGE as error:
        _shorten(error)
        raise


def _shorten(error: Any) -> None:
    what = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    where = f"; see `{error.ctx.command_path} -h`" if error.ctx else ""
    error.show = lambda file=None: echo(f"omni-ray: {what}{where}", err=True)


class Command(TyperCommand):
    """A command whose options are shown in their groups (``rich_help_panel``), in the order of the signature."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        with _in_one_line():
            return super().make_context(*args, **extra)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then options without a group, then the groups, and finally what every command has."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": []}
        for param in self.get_params(ctx):
            shown = param.get_help_record(ctx)
            if shown is not None:
                groups.setdefault(_group(param), []).append(shown)
        for group in sorted(groups, key=lambda group: group == OTHER):
            if groups[group]:
                with formatter.section(group):
                    formatter.write_dl(groups[group])


def _group(param: Any) -> str:
    if param.param_type_name == "argument":
        return "Arguments"
    return OTHER if param.name == "help" else getattr(param, "rich_help_panel", None) or "Options"


class CommandGroup(TyperGroup):
    """A group that shows the whole first sentence of each of its commands."""

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> Any:
        """As typer does. Without arguments, what is wrong is shown as the whole help."""
        with _in_one_line() if args else nullcontext():
            return super().make_context(info_name, args, *more, **extra)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        with _in_one_line():
            return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """A row for each command, over several lines where necessary."""
        shown = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(_WHOLE)) for name, each in shown if not each.hidden])
