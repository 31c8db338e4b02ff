"""``omni-ray tokenizer``: the SentencePiece tokenizer that all stages share."""

from __future__ import annotations

from pathlib import Path

import typer

from omni_ray import api
from omni_ray.api.options import TokenizerOptions
from omni_ray.cli import options as opt
from omni_ray.cli.help import Command, CommandGroup
from omni_ray.cli.printing import show

app = typer.Typer(help="The tokenizer that all stages share.", no_args_is_help=True, cls=CommandGroup)


@app.callback()
def tokenizer() -> None:
    """The tokenizer that all stages share."""


@app.command("train", cls=Command)
@opt.step
@opt.taking(TokenizerOptions)
def train(*, root: opt.Root = Path(), asked: TokenizerOptions, json_: opt.Json = False) -> None:
    """Train the tokenizer on the corpus, put it where the trainers look, and set vocab_size."""
    show(api.train_tokenizer(root, **vars(asked)), json_)
