"""Prepare audio training data: `python jobs/download_production_audio.py --dataset all --combine`."""

from omni_ray.jobs.download_production_audio import main

if __name__ == "__main__":
    main()
