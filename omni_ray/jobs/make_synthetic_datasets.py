"""Make small synthetic datasets: `python -m omni_ray.jobs.make_synthetic_datasets [--samples N] [--seed S]`."""

from omni_ray import interrupts


def main() -> None:
    """Run the script."""
    with interrupts.at_once():
        import typer

        from omni_ray.cli.commands import run
        from omni_ray.cli.options import common
        from omni_ray.cli.synth import synth

        run(lambda: typer.run(common(synth)))


if __name__ == "__main__":
    main()
