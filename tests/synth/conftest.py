"""Synthetic corpora, small and with the stand-in voice, made once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from omni_ray.synth import espeak
from omni_ray.synth.native import write_native
from omni_ray.synth.native_task import ExpectedCounts


@pytest.fixture
def speaking() -> None:
    """Skips, saying so, where espeak-ng is not installed."""
    if not espeak.available():
        pytest.skip("espeak-ng is not installed (the extra 'speech')")


@pytest.fixture(scope="session")
def native(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, ExpectedCounts]]:
    """All corpora in native layouts at their smallest, and what to expect of them."""
    root = tmp_path_factory.mktemp("native")
    return root, write_native(root, seed=7, scale=0.01, speech="tones")
