"""Every command under its name, and what is said where one does not come through."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer

from omni_ray import __version__, interrupts
from omni_ray.cli import (
    clean,
    combine,
    demo,
    doctor,
    export,
    listing,
    options,
    plan,
    prepare,
    report,
    run_recipe,
    status,
    submit,
    synth,
    tokenizer,
    verify,
)
from omni_ray.cli.help import Command, Group
from omni_ray.cli.printing import echo, echo_lines
from omni_ray.errors import FALLS_SHORT, INTERRUPTED, WRONG_INPUT, OmniError, missing_package, of_system
from omni_ray.pipeline.session import end_own
from omni_ray.progress.reporter import stop_showing
from omni_ray.verbosity import is_verbose

_HELP = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="omni-ray",
    help="Public corpora in, training-ready data out: text, speech, images and OCR, every record accounted for.",
    no_args_is_help=True,
    cls=Group,
    context_settings=_HELP,
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
    "combine": combine.combine,
    "verify": verify.verify,
    "plan": plan.plan,
    "report": report.report,
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


def run_script(command: Callable[..., None], help: str | None = None) -> None:
    """Run one command as a program of its own: a script that the specification names."""
    script = typer.Typer(
        add_completion=False, context_settings=_HELP, pretty_exceptions_enable=False, rich_markup_mode=None
    )
    script.command(help=help, cls=Command)(options.common(command))
    run(script)


def run(command: Callable[[], Any]) -> None:
    """Run a typer command, with the contract's exit codes and one line for what the user can mend."""
    try:
        with interrupts.in_order(end_own):
            try:
                command()
            finally:
                stop_showing()
    except OmniError as error:
        _end(str(error), error.exit_code)
    except SystemExit as ended:
        # Typer turns Ctrl-C into an exit code of its own, without a word.
        if isinstance(getattr(ended.__context__, "__cause__", None), KeyboardInterrupt):
            _end(interrupts.SENTENCE, INTERRUPTED)
        raise
    except KeyboardInterrupt:
        _end(interrupts.SENTENCE, INTERRUPTED)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        _end(str(of_system(error)), WRONG_INPUT)
    except ModuleNotFoundError as error:
        _end(missing_package(error.name), WRONG_INPUT)
    except MemoryError:
        _end("memory is short; give it more, or fewer CPUs (--cpus), and run the same command again", FALLS_SHORT)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = " ".join(f"{type(error).__name__}: {error}".split())
        _end(f"a fault of omni-ray itself ({what}, {place.filename}:{place.lineno}); with -v it says more", FALLS_SHORT)


def _end(
    text: str,
    exit_code: int,
) -> NoReturn:
    """One line, and before it, for those who asked, where it came from."""
    if exit_code != INTERRUPTED and is_verbose():
        echo_lines(traceback.format_exc(), err=True)
    echo(f"omni-ray: {text}", err=True)
    sys.exit(exit_code)
