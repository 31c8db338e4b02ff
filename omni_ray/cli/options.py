"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from omni_ray.cli.help import OTHER
from omni_ray.cli.printing import echo_lines
from omni_ray.cli.steps import WHERE_PANEL as WHERE
from omni_ray.cli.steps import recipe_of
from omni_ray.storage import local_folder
from omni_ray.verbosity import be_verbose

SOURCE = "Source"
MAKE = "What to make"
TEXT = "Only for text"
AUDIO = "Only for audio"
PICTURES = "Only for images and ocr"
"""The groups of options in help; WHERE is the last one."""


class Modality(StrEnum):
    """A modality, as a choice."""

    text = "text"
    audio = "audio"
    images = "images"
    ocr = "ocr"


Modalities = Annotated[list[Modality], typer.Argument(metavar="MODALITY", help="One or more.")]
SomeModalities = Annotated[list[Modality] | None, typer.Argument(metavar="MODALITY", help="Default: all there are.")]
Root = Annotated[
    Path,
    typer.Option("--root", parser=local_folder, metavar="FOLDER", help="The project folder.", rich_help_panel=WHERE),
]
Shards = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="Another place for shards and manifests, e.g. s3://bucket/prefix; said once.",
        rich_help_panel=WHERE,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value, for machines.", rich_help_panel=OTHER)]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        help="A Ray cluster. Default: RAY_ADDRESS if set, else a private local Ray.",
        rich_help_panel=WHERE,
    ),
]
Cpus = Annotated[
    int | None, typer.Option("--cpus", min=1, help="CPUs of the local Ray. Default: all.", rich_help_panel=WHERE)
]
CpusPerTask = Annotated[
    float, typer.Option("--cpus-per-task", min=0.01, help="CPUs that a task reserves.", rich_help_panel=WHERE)
]
Gpus = Annotated[
    int,
    typer.Option("--gpus", min=0, help="images, ocr: GPUs that resize, and decode with nvJPEG.", rich_help_panel=WHERE),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress.", rich_help_panel=OTHER)]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="Say more: every commit, Ray's log, tracebacks.", rich_help_panel=OTHER)
]
Recipe = Annotated[
    bool,
    typer.Option(
        "--recipe", help="Print this command as a recipe for `omni-ray run`, and do nothing.", rich_help_panel=OTHER
    ),
]
NoShuffle = Annotated[
    bool, typer.Option("--no-shuffle", help="Keep corpus order in the training files.", rich_help_panel=MAKE)
]
Pack = Annotated[
    bool,
    typer.Option(
        "--pack",
        help="text: join lines of a document up to what the trainer sees at once (ctx_len).",
        rich_help_panel=MAKE,
    ),
]
Holdout = Annotated[
    float | None,
    typer.Option(
        "--holdout",
        help="Share of documents, speakers, pictures for heldout_* files, e.g. 0.01. Default: none.",
        rich_help_panel=MAKE,
    ),
]
Evaluation = Annotated[
    Literal["train", "heldout", "drop"],
    typer.Option(
        "--evaluation",
        help="Splits to measure on in a source (dev, test, val2017): train on them (default), heldout_* files, or drop.",
        rich_help_panel=MAKE,
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the shuffle across corpora.", rich_help_panel=MAKE)]


Command = TypeVar("Command", bound=Callable[..., None])


def checked_by(check: Callable[..., object]) -> Callable[[Command], Command]:
    """Of a command: ``check``, given all of its options, refuses at once what it would refuse before it did anything."""

    def mark(command: Command) -> Command:
        vars(command)["check"] = check
        return command

    return mark


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

    empty = inspect.Parameter.empty
    return _signed(run, command, {"context": (typer.Context, empty), "recipe": (Recipe, False)})


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
    signature = inspect.signature(command, eval_str=True)
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in more.items()
        if name not in signature.parameters
    ]
    whole = signature.replace(parameters=[*signature.parameters.values(), *added])
    run.__signature__ = whole  # type: ignore[attr-defined]
    run.__annotations__ = {name: each.annotation for name, each in whole.parameters.items()}
    return run


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    echo_lines(json.dumps(value, indent=2, ensure_ascii=False, default=str))
