"""``omni-ray tokenizer``: the SentencePiece tokenizer that all stages share."""

from __future__ import annotations

import typer

from omni_ray.api.options import TokenizerOptions
from omni_ray.cli import options as opt
from omni_ray.cli.help import Command, CommandGroup

app = typer.Typer(help="The tokenizer that all stages share.", no_args_is_help=True, cls=CommandGroup)


@app.callback()
def tokenizer() -> None:
    """The tokenizer that all stages share."""


_train = opt.passing(
    "train_tokenizer",
    TokenizerOptions,
    "Train the tokenizer on the corpus, put it where the trainers look, and set vocab_size.",
)
app.command("train", cls=Command)(opt.step(_train))
