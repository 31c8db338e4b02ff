"""Set the training configurations from the data: `python -m omni_ray.jobs.update_configs_from_data [--dry-run]`."""

from omni_ray.cli.plan import main

if __name__ == "__main__":
    main()
