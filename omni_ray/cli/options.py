"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from omni_ray.cli.printing import echo_lines
from omni_ray.storage import local_folder
from omni_ray.verbosity import be_verbose

Root = Annotated[Path, typer.Option("--root", parser=local_folder, metavar="FOLDER", help="The project folder.")]
Shards = Annotated[
    str | None,
    typer.Option("--store", help="Another place for shards and manifests, e.g. s3://bucket/prefix."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value, for machines.")]
Address = Annotated[
    str | None,
    typer.Option("--address", help="A Ray cluster. Default: RAY_ADDRESS if set, else a private local Ray."),
]
Cpus = Annotated[int | None, typer.Option("--cpus", min=1, help="CPUs of the local Ray. Default: all.")]
CpusPerTask = Annotated[float, typer.Option("--cpus-per-task", min=0.01, help="CPUs that a task reserves.")]
Gpus = Annotated[int, typer.Option("--gpus", min=0, help="images, ocr: GPUs that resize, and decode with nvJPEG.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more: every commit, Ray's log, tracebacks.")]
NoShuffle = Annotated[bool, typer.Option("--no-shuffle", help="Keep corpus order in the production files.")]
Pack = Annotated[
    bool, typer.Option("--pack", help="text: join lines of a document up to what the trainer sees at once (ctx_len).")
]
Holdout = Annotated[
    float | None,
    typer.Option(
        "--holdout", help="Share of documents, speakers, pictures for heldout_* files, e.g. 0.01. Default: none."
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of the shuffle across corpora.")]


def common(command: Callable[..., None]) -> Callable[..., None]:
    """``command`` with the options that every command has: ``-v``, and ``-q`` where it has none of its own."""
    signature = inspect.signature(command, eval_str=True)
    has_quiet = "quiet" in signature.parameters

    @wraps(command)
    def run(*args: Any, verbose: bool = False, quiet: bool = False, **options: Any) -> None:
        if verbose:
            be_verbose()
        if has_quiet:
            options["quiet"] = quiet
        command(*args, **options)

    more = {"quiet": Quiet, "verbose": Verbose}
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in more.items()
        if name not in signature.parameters
    ]
    whole = signature.replace(parameters=[*signature.parameters.values(), *added])
    run.__signature__ = whole  # type: ignore[attr-defined]
    run.__annotations__ = {name: each.annotation for name, each in whole.parameters.items()}
    return run


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    echo_lines(json.dumps(value, indent=2, ensure_ascii=False, default=str))
