"""Prepare text training data: `python jobs/download_production_text.py --dataset all --combine`."""

from omni_ray.cli.download_job import main

if __name__ == "__main__":
    main("text")
