"""Make small synthetic datasets: `python jobs/make_synthetic_datasets.py [--samples N] [--seed S]`."""

import typer

from omni_ray.cli import run
from omni_ray.cli.options import common
from omni_ray.cli.synth import synth

if __name__ == "__main__":
    run(lambda: typer.run(common(synth)))
