"""``python -m omni_ray`` is ``omni-ray``."""

from omni_ray.cli import main

main()
