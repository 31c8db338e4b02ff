"""The specification's scripts, as modules of the package: ``python -m omni_ray.jobs.download_production_text``.

``jobs/`` in the repository has the same by the paths that the specification gives.
"""
