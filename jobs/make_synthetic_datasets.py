"""Make small synthetic datasets: `python jobs/make_synthetic_datasets.py [--samples N] [--seed S]`."""

from omni_ray.jobs.make_synthetic_datasets import main

if __name__ == "__main__":
    main()
