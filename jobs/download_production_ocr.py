"""Prepare ocr training data: `python jobs/download_production_ocr.py --dataset all --combine`."""

from omni_ray.jobs.download_production_ocr import main

if __name__ == "__main__":
    main()
