"""Prepare ocr training data: `python -m omni_ray.jobs.download_production_ocr --dataset all --combine`."""

from omni_ray import interrupts


def main() -> None:
    """Run the script."""
    with interrupts.at_once():
        from omni_ray.cli import download_job

        download_job.main("ocr")


if __name__ == "__main__":
    main()
