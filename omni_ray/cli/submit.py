"""``omni-ray submit``: any omni-ray command, as a job of a Ray cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omni_ray.cli.printing import echo_piece
from omni_ray.errors import OmniError
from omni_ray.submit import DEFAULT_ADDRESS
from omni_ray.submit import submit as run

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}


def submit(
    context: typer.Context,
    address: Annotated[str, typer.Option(help="The cluster's job address.")] = DEFAULT_ADDRESS,
    working_dir: Annotated[
        Path | None, typer.Option(help="A folder to send along, if omni_ray is not installed on the cluster.")
    ] = None,
    python: Annotated[str, typer.Option(help="The interpreter on the cluster.")] = "python",
    insecure: Annotated[bool, typer.Option("--insecure", help="Allow plain http to another machine.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return once the job is submitted.")] = False,
) -> None:
    """Run an omni-ray command on a cluster: `omni-ray submit prepare text --dataset all --combine --root /mnt/omni`.

    Streams its output and returns its exit code; Ctrl-C stops the job.
    """
    if not context.args:
        raise OmniError("say what to run, e.g. `omni-ray submit prepare text --dataset all --root /mnt/omni`")

    code = run(
        context.args,
        address=address,
        working_dir=working_dir,
        python=python,
        insecure=insecure,
        wait=not no_wait,
        say=echo_piece,
    )
    raise typer.Exit(code)
