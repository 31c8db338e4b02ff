"""How help looks: options in groups, and every command's summary whole."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

OTHER = "Other options"
"""The group of what every command has; it is the last."""
_WHOLE = 1000
"""Signs of a summary: more than any has."""


class Command(TyperCommand):
    """A command whose options are shown in their groups (``rich_help_panel``), in the order of the signature."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Arguments, then options without a group, then the groups, and at last what every command has."""
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


class Group(TyperGroup):
    """A group that shows the whole first sentence of each of its commands."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """A row a command, over several lines where it must be."""
        shown = [(name, self.commands[name]) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(_WHOLE)) for name, each in shown if not each.hidden])
