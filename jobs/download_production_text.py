"""Prepare text training data: `python jobs/download_production_text.py --dataset all --combine`."""

from omni_ray.jobs.download_production_text import main

if __name__ == "__main__":
    main()
