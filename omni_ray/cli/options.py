"""How commands get their options: those of a dataclass of :mod:`omni_ray.api.options`, and those that all share."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, replace
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_origin

import typer
from typer.models import ArgumentInfo

from omni_ray import api
from omni_ray.api.options import Run
from omni_ray.cli.printing import echo_lines, show
from omni_ray.cli.steps import recipe_of
from omni_ray.errors import OmniError
from omni_ray.modalities.params import PARAMS
from omni_ray.option import GROUPS, OTHER, WHERE, Field, made, options_of
from omni_ray.progress.reporter import Reporter
from omni_ray.storage import local_folder
from omni_ray.verbosity import be_verbose

Root = Annotated[
    Path,
    typer.Option("--root", parser=local_folder, metavar="FOLDER", help="The project folder.", rich_help_panel=WHERE),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value, for machines.", rich_help_panel=OTHER)]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress.", rich_help_panel=OTHER)]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="Show more: every commit, Ray's log, tracebacks.", rich_help_panel=OTHER)
]
Recipe = Annotated[
    bool,
    typer.Option(
        "--recipe", help="Print this command as a recipe for `omni-ray run`, and do nothing.", rich_help_panel=OTHER
    ),
]
_QUIET = inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Quiet)


Asked = TypeVar("Asked")
_empty = inspect.Parameter.empty


def taking(
    kind: type[Asked],
    check: Callable[[Asked], object] = lambda asked: None,
    helps: Mapping[str, str] = {},
    **fixed: Any,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function: its parameter ``asked``, a ``kind``, becomes the options of ``kind``.

    Args:
        kind: a dataclass of options.
        check: refuses at once what the function would refuse before it did anything.
        helps: for fields that do more here than elsewhere, what they do.
        fixed: fields that are not for the user to choose.
    """
    options = [_with_help(each, helps.get(each.name)) for each in options_of(kind) if each.name not in fixed]
    of_modality = _of_modality(fixed.get("modality")) if "params" in vars(kind)["__dataclass_fields__"] else {}
    parameters = [each for option in options for each in _parameters(option)]
    parameters += [_parameters(_optional(option))[0] for option in of_modality.values()]

    def made_of(given: dict[str, Any]) -> Asked:
        values = {
            **{option.name: value for option in options if (value := _value(option, given)) is not _empty},
            **fixed,
        }
        if issubclass(kind, Run):
            values["reporter"] = Reporter(quiet=given.pop("quiet", False) or given.get("json_", False))
        if of_modality:
            values["params"] = _params(values["modality"], of_modality, given)
        asked = made(kind, values)
        check(asked)
        return asked

    def command_of(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        own = {name for name in signature.parameters if name != "asked"}
        whole: list[inspect.Parameter] = []
        for name, each in signature.parameters.items():
            whole += parameters if name == "asked" else [each]

        @wraps(function)
        def run(**given: Any) -> None:
            asked = made_of(given)
            function(asked=asked, **{name: given[name] for name in own if name in given})

        vars(run)["check"] = lambda **given: made_of(given)
        return _with_parameters(run, sorted([*whole, _QUIET], key=_place))

    return command_of


def passing(
    verb: str, kind: type[Asked], help: str, helps: Mapping[str, str] = {}, **fixed: Any
) -> Callable[..., None]:
    """The command that is a function of :mod:`omni_ray.api` and no more, with ``help``; the rest is as for :func:`taking`."""

    @taking(kind, helps=helps, **fixed)
    def command(*, root: Root = Path(), asked: Any, json_: Json = False) -> None:
        report = getattr(api, verb)(root, **vars(asked))
        show(report, json_)
        raise typer.Exit(report.exit_code)

    command.__doc__ = help
    return command


def _of_modality(modality: str | None) -> dict[str, Field]:
    """The options of one modality's shards, or of all; each once."""
    kinds = [kind for name, kind in PARAMS.items() if modality in (None, name)]
    return {option.name: option for kind in kinds for option in options_of(kind)}


def _optional(field: Field) -> Field:
    """The same, without a default of its own, which depends on what else is asked for; its help states it."""
    said = f"{field.option.help} Default: {field.default}." if field.default else None
    return replace(_with_help(field, said), default=None)


def _with_help(field: Field, help: str | None) -> Field:
    return replace(field, option=replace(field.option, help=help)) if help else field


def _params(
    modality: str | Sequence[str], known: Mapping[str, Field], given: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The given options of modalities, by modality.

    Raises:
        OmniError: one that none of them has: that is a mistake, not something to ignore.
    """
    chosen = {option.name: given[option.name] for option in known.values() if given.get(option.name) is not None}
    modalities = [modality] if isinstance(modality, str) else modality
    of: dict[str, set[str]] = {each: {option.name for option in options_of(kind)} for each, kind in PARAMS.items()}
    for name in chosen:
        if not any(name in of[each] for each in modalities):
            whose = next(each for each, names in of.items() if name in names)
            raise OmniError(f"{known[name].flag} is for {whose}, which is not prepared here")
    return {each: {name: value for name, value in chosen.items() if name in of[each]} for each in modalities}


def _parameters(field: Field) -> list[inspect.Parameter]:
    """A field as parameters of a command, as typer reads them."""
    option, kind, default = field.option, field.one, field.default
    said: Any = {"help": option.help, "metavar": option.metavar, "rich_help_panel": option.group or None}
    if option.read or get_origin(kind) is Mapping:
        kind = str
    if field.several:
        choices = StrEnum("Choice", {each: each for each in field.choices}) if field.choices else kind
        kind, default = list[choices], default if default is MISSING else None  # type: ignore[valid-type]
    elif kind is bool:
        default = False
    elif default is not MISSING and (not isinstance(default, int | float | str) or default == ""):
        default = None
    if kind in (int, float):
        said |= {"min": option.low, "max": option.high}
    if option.is_argument:
        kind = Annotated[kind if default is MISSING else kind | None, typer.Argument(**said)]
    else:
        kind = Annotated[kind if default is not None else kind | None, typer.Option(field.flag, **said)]
    found = [_parameter(field.name, kind, _empty if default is MISSING else default)]
    if option.off is not None:
        flag, help = option.off
        kind = Annotated[bool, typer.Option(flag, help=help, rich_help_panel=option.group or None)]
        found.append(_parameter(_name_of(flag), kind, False))
    return found


def _parameter(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _name_of(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")


def _value(field: Field, given: Mapping[str, Any]) -> Any:
    """What was given for a field; ``_empty`` where nothing was. Raises OmniError."""
    option, value = field.option, given.get(field.name)
    if option.off is not None and given.get(_name_of(option.off[0])):
        return None
    if value is None or value == []:
        return _empty
    if field.several:
        value = tuple(str(each) for each in value)
    if field.one is bool and field.default is True:
        return not value
    if option.read is None:
        return value
    try:
        return option.read(value)
    except ValueError as error:
        raise OmniError(f"{field.flag} {value}: {error}") from None


def _place(parameter: inspect.Parameter) -> tuple[bool, int]:
    """Arguments first, then options in the order of their groups."""
    said = next(iter(getattr(parameter.annotation, "__metadata__", ())), None)
    group = getattr(said, "rich_help_panel", None) or ""
    return not isinstance(said, ArgumentInfo), GROUPS.index(group)


def step(command: Callable[..., None]) -> Callable[..., None]:
    """``command`` with what :func:`common` adds, and ``--recipe``: for those that a recipe may have."""
    return common(_with_recipe(command))


def _with_recipe(command: Callable[..., None]) -> Callable[..., None]:
    @wraps(command)
    def run(context: typer.Context, recipe: bool = False, **options: Any) -> None:
        if recipe:
            echo_lines(recipe_of(context).rstrip())
        else:
            command(**options)

    return _signed(run, command, {"context": (typer.Context, _empty), "recipe": (Recipe, False)})


def common(command: Callable[..., None]) -> Callable[..., None]:
    """``command`` with the options that every command has: ``-v``, and ``-q`` where it has none of its own."""
    has_quiet = "quiet" in inspect.signature(command).parameters

    @wraps(command)
    def run(*args: Any, verbose: bool = False, quiet: bool = False, **options: Any) -> None:
        if verbose:
            be_verbose()
        if has_quiet:
            options["quiet"] = quiet
        command(*args, **options)

    return _signed(run, command, {"quiet": (Quiet, False), "verbose": (Verbose, False)})


def _signed(
    run: Callable[..., None], command: Callable[..., None], more: dict[str, tuple[Any, Any]]
) -> Callable[..., None]:
    """``run`` with the signature of ``command``, and ``more`` parameters: each one's kind and default."""
    parameters = inspect.signature(command, eval_str=True).parameters
    added = [_parameter(name, kind, default) for name, (kind, default) in more.items() if name not in parameters]
    return _with_parameters(run, [*parameters.values(), *added])


def _with_parameters(run: Callable[..., None], parameters: Sequence[inspect.Parameter]) -> Callable[..., None]:
    """``run`` as typer is to see it."""
    keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
    run.__signature__ = inspect.Signature(keywords)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in keywords}
    return run
