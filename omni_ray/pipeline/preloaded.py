"""What a worker needs, imported when it starts and not when its first unit comes."""

import gc

from omni_ray.later import uncollected

with uncollected():
    import ray.data  # noqa: F401

    import omni_ray.pipeline.unit_stage  # noqa: F401
    from omni_ray.pipeline import lean

    lean.without_models()

gc.freeze()  # none of it ever goes, so that no later collection has to look at it
