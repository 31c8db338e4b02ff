"""Set the training configurations from the data: `python -m omni_ray.jobs.update_configs_from_data [--dry-run]`."""

from omni_ray import interrupts


def main() -> None:
    """Run the script."""
    with interrupts.at_once():
        from omni_ray.cli import plan

        plan.main()


if __name__ == "__main__":
    main()
