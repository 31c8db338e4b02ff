"""Prepare images training data: `python jobs/download_production_image.py --dataset all --combine`."""

from omni_ray.jobs.download_production_image import main

if __name__ == "__main__":
    main()
