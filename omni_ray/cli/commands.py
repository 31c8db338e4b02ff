"""Every command under its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from omni_ray import __version__
from omni_ray.api.options import CombineOptions, ReportOptions
from omni_ray.cli import (
    clean,
    demo,
    doctor,
    export,
    listing,
    options,
    plan,
    prepare,
    run_recipe,
    status,
    submit,
    synth,
    tokenizer,
    verify,
)
from omni_ray.cli.help import Command, CommandGroup
from omni_ray.cli.printing import echo
from omni_ray.cli.running import HELP

app = typer.Typer(
    name="omni-ray",
    help="Public corpora in, training-ready data out: text, speech, images and OCR, every record accounted for.",
    no_args_is_help=True,
    cls=CommandGroup,
    context_settings=HELP,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        echo(f"omni-ray {__version__}")
        raise typer.Exit


@app.callback()
def _before(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    pass


_steps: dict[str, Callable[..., None]] = {
    "prepare": prepare.prepare,
    "clean": clean.clean,
    "combine": options.passing(
        "combine", CombineOptions, "Write production_* files and their media from committed shards."
    ),
    "verify": verify.verify,
    "plan": plan.plan,
    "report": options.passing(
        "write_report",
        ReportOptions,
        "Write one self-contained HTML page: counts, histograms, samples to look at and listen to, quarantine, plan.",
    ),
    "synth": synth.synth,
}
for _name, _step in _steps.items():
    app.command(_name, cls=Command)(options.step(_step))
_others: dict[str, Callable[..., None]] = {
    "run": run_recipe.run,
    "status": status.status,
    "list": listing.list_corpora,
    "doctor": doctor.doctor,
    "demo": demo.demo,
}
for _name, _command in _others.items():
    app.command(_name, cls=Command)(options.common(_command))
app.command("submit", cls=Command, context_settings=submit.CONTEXT)(submit.submit)
app.add_typer(tokenizer.app, name="tokenizer")
app.add_typer(export.app, name="export")
