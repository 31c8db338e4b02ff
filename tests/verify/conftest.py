"""A clean project for every test."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_project import Project, make_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Five of everything, and nothing wrong."""
    return make_project(tmp_path / "project")
