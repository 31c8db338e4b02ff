"""Make small synthetic datasets: `python -m omni_ray.jobs.make_synthetic_datasets [--samples N] [--seed S]`."""

from omni_ray import interrupts


def main() -> None:
    """Run the script."""
    with interrupts.at_once():
        from omni_ray.cli.running import run_script
        from omni_ray.cli.synth import synth

        run_script(synth)


if __name__ == "__main__":
    main()
