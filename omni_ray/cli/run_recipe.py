"""``omni-ray run``: a recipe, from sources to training files."""

from __future__ import annotations

import io
import json
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo, print_json
from omni_ray.cli.steps import Step, steps
from omni_ray.errors import DONE, FALLS_SHORT, INTERRUPTED, WRONG_INPUT
from omni_ray.option import WHERE
from omni_ray.pipeline.session import lasting
from omni_ray.recipe import RecipeError, Value, digest, read_recipe, record
from omni_ray.storage import local_folder


def run(
    context: typer.Context,
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="A YAML file; see docs/recipes.md.")],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change it, e.g. prepare.max_samples=1000, prepare.0.source=/data, report=false; may be repeated.",
        ),
    ] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Print the commands it stands for, without running them.")
    ] = False,
    root: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Instead of the recipe's.", rich_help_panel=WHERE)
    ] = None,
    store: Annotated[str | None, typer.Option(help="Instead of the recipe's.", rich_help_panel=WHERE)] = None,
    address: Annotated[str | None, typer.Option(help="Instead of the recipe's.", rich_help_panel=WHERE)] = None,
    cpus: Annotated[int | None, typer.Option(help="Instead of the recipe's.", rich_help_panel=WHERE)] = None,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Run a recipe: its commands one after the other, each doing only what is not done yet."""
    where = {"root": root, "store": store, "address": address, "cpus": cpus}
    changes = [
        *(set_ or ()),
        *(f"where.{key}={json.dumps(value)}" for key, value in where.items() if value is not None),
    ]
    app = context.find_root().command
    try:
        read = read_recipe(recipe, changes)
        todo = steps(read, app)
    except RecipeError as error:
        for problem in error.problems:
            echo(f"omni-ray: {problem}", err=True)
        raise typer.Exit(WRONG_INPUT) from None
    if show:
        for step in todo:
            echo(str(step))
        return
    record(_root(read), read)
    with lasting():
        short, results = _run(todo, app, json_=json_, quiet=quiet)
    if json_:
        print_json({"recipe": digest(read), "steps": results})
    for step in short:
        echo(f"falls short: {step}", err=True)
    raise typer.Exit(FALLS_SHORT if short else DONE)


def _root(recipe: Value) -> Path:
    where = recipe.content.get("where") if isinstance(recipe.content, dict) else None
    root = where.content.get("root") if where is not None and isinstance(where.content, dict) else None
    return local_folder(root.content if root is not None and isinstance(root.content, str) else ".")


def _run(todo: list[Step], app: Any, *, json_: bool, quiet: bool) -> tuple[list[Step], list[dict[str, Any]]]:
    """Run the commands. Returns those whose result falls short, and for ``--json`` what each one said."""
    short, results = [], []
    for step in todo:
        words = [
            *step.command.split(),
            *(["--json"] if json_ else []),
            *(["--quiet"] if quiet else []),
            *step.arguments,
        ]
        if not json_:
            echo(f"== {step}")
        said = io.StringIO()
        with redirect_stdout(said) if json_ else nullcontext():
            code = app.main(words, prog_name="omni-ray", standalone_mode=False) or DONE
        if code == INTERRUPTED:
            raise KeyboardInterrupt  # which typer has turned into its exit code
        if code not in (DONE, FALLS_SHORT):
            raise typer.Exit(code)
        if code:
            short.append(step)
        if json_:
            results.append({"command": str(step), "exit_code": code, "result": json.loads(said.getvalue())})
    return short, results
