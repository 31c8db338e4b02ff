"""``omni-ray tokenizer``: the SentencePiece tokenizer that all stages share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omni_ray import api
from omni_ray.cli import options as opt
from omni_ray.cli.help import Command, CommandGroup
from omni_ray.cli.plan import Data
from omni_ray.cli.printing import echo

app = typer.Typer(help="The tokenizer that all stages share.", no_args_is_help=True, cls=CommandGroup)


@app.callback()
def tokenizer() -> None:
    """The tokenizer that all stages share."""


@app.command("train", cls=Command)
@opt.step
def train(
    vocab_size: Annotated[
        int | None, typer.Option(min=4, help="Pieces wanted. Default: vocab_size of configs/thinker_tiny.json.")
    ] = None,
    sample_mb: Annotated[int, typer.Option(min=1, help="MiB of text to train on, at most, evenly sampled.")] = 128,
    data: Annotated[Data, typer.Option(help="Which corpus to train on.")] = Data.auto,
    force: Annotated[
        bool, typer.Option("--force", help="Even where weights were trained with the present one, or it is your own.")
    ] = False,
    root: opt.Root = Path(),
    store: opt.Shards = None,
    address: opt.Address = None,
    cpus: opt.Cpus = None,
    json_: opt.Json = False,
) -> None:
    """Train the tokenizer on the corpus, put it where the trainers look, and set vocab_size."""
    made = api.train_tokenizer(
        root,
        vocab_size=vocab_size,
        sample_bytes=sample_mb << 20,
        data=data.value,
        force=force,
        shards=store,
        address=address,
        num_cpus=cpus,
    )
    if json_:
        opt.print_json(made.as_dict())
        return
    echo(f"vocabulary: {made.vocabulary.trained.pieces:,} pieces, {made.vocabulary.how}")
    for warning in made.vocabulary.warnings:
        echo(f"note: {warning}")
    echo("written: " + ", ".join(made.written))
