"""What every test may use."""

from __future__ import annotations

import os
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
