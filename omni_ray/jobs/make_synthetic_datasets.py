"""Make small synthetic datasets: `python -m omni_ray.jobs.make_synthetic_datasets [--samples N] [--seed S]`."""

import typer

from omni_ray.cli import run
from omni_ray.cli.options import common
from omni_ray.cli.synth import synth


def main() -> None:
    """Run the script."""
    run(lambda: typer.run(common(synth)))


if __name__ == "__main__":
    main()
