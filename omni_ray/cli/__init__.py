"""The command line: parsing and printing only. Every command calls :mod:`omni_ray.api` or a sibling of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NoReturn

import typer

from omni_ray.cli import (
    combine,
    demo,
    doctor,
    export,
    listing,
    plan,
    prepare,
    report,
    status,
    submit,
    synth,
    tokenizer,
    verify,
)
from omni_ray.errors import INTERRUPTED, WRONG_INPUT, OmniError

app = typer.Typer(
    name="omni-ray",
    help="Public corpora in, training-ready data out: text, speech, images and OCR, every record accounted for.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("prepare")(prepare.prepare)
app.command("combine")(combine.combine)
app.command("verify")(verify.verify)
app.command("plan")(plan.plan)
app.command("status")(status.status)
app.command("list")(listing.list_corpora)
app.command("doctor")(doctor.doctor)
app.command("synth")(synth.synth)
app.command("report")(report.report)
app.command("demo")(demo.demo)
app.command("submit", context_settings=submit.CONTEXT)(submit.submit)
app.add_typer(tokenizer.app, name="tokenizer")
app.add_typer(export.app, name="export")


def main() -> None:
    """Entry point of the ``omni-ray`` command."""
    run(app)


def run(command: Callable[[], Any]) -> None:
    """Run a typer command, with the contract's exit codes and one line for what the user can mend."""
    try:
        command()
    except OmniError as error:
        print(f"omni-ray: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except SystemExit as ended:
        # Typer turns Ctrl-C into an exit code of its own, without a word.
        if isinstance(getattr(ended.__context__, "__cause__", None), KeyboardInterrupt):
            _interrupted()
        raise
    except KeyboardInterrupt:
        _interrupted()
    except BrokenPipeError:
        sys.exit(0)
    except PermissionError as error:
        print(
            f"omni-ray: {error.filename}: permission denied; choose another --root or mend its rights",
            file=sys.stderr,
        )
        sys.exit(WRONG_INPUT)
    except OSError as error:
        print(
            f"omni-ray: {error.filename or 'output'}: {(error.strerror or str(error)).lower()}",
            file=sys.stderr,
        )
        sys.exit(WRONG_INPUT)


def _interrupted() -> NoReturn:
    print("omni-ray: interrupted; run the same command again to go on", file=sys.stderr)
    sys.exit(INTERRUPTED)
