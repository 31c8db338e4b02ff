"""A command as a program: the contract's exit codes, and one line for what the user can mend."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import typer

from omni_ray import interrupts
from omni_ray.cli import options
from omni_ray.cli.help import Command
from omni_ray.cli.printing import echo, echo_lines
from omni_ray.errors import FALLS_SHORT, INTERRUPTED, WRONG_INPUT, OmniError, missing_package, of_system
from omni_ray.pipeline.own_processes import end_own
from omni_ray.progress.reporter import stop_showing
from omni_ray.verbosity import is_verbose

HELP = {"help_option_names": ["-h", "--help"]}


def run_script(command: Callable[..., None], help: str | None = None) -> None:
    """Run one command as a program of its own: a script that the specification names."""
    script = typer.Typer(
        add_completion=False, context_settings=HELP, pretty_exceptions_enable=False, rich_markup_mode=None
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


def _end(text: str, exit_code: int) -> NoReturn:
    """One line, preceded, for those who asked, by where it came from."""
    if exit_code != INTERRUPTED and is_verbose():
        echo_lines(traceback.format_exc(), err=True)
    echo(f"omni-ray: {text}", err=True)
    sys.exit(exit_code)
