"""Set the training configurations from the data: `python jobs/update_configs_from_data.py [--dry-run]`."""

from omni_ray.jobs.update_configs_from_data import main

if __name__ == "__main__":
    main()
