"""What every test may use."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is not a bug: no test depends on the clock. CI always tries the same examples; people try others.
settings.register_profile("calm", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True)
settings.load_profile("calm")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Small real corpora in their native layouts; tests that need them are skipped where they are absent."""
    path = SHARED / "data"
    if not path.is_dir():
        pytest.skip("the real corpora (../shared/data) are not here")
    return path


@pytest.fixture
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be tasks of Ray runs in this process, one after the other: for tests of what is made, not of how."""
    from omni_ray.api import cluster
    from omni_ray.pipeline import engine, prepare

    monkeypatch.setattr(cluster, "ray_session", lambda *args, **more: nullcontext())
    monkeypatch.setattr(cluster, "is_connected", lambda: True)
    monkeypatch.setattr(engine, "on_ray", lambda function, items, **more: engine.inline(function, items))
    monkeypatch.setattr(prepare, "acknowledgements", lambda stage, items, shape: enumerate(map(stage.make, items)))
