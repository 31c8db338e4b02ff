from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from made_project import make_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """200 rows of production data, and no configurations yet."""
    return make_project(tmp_path / "project")


@pytest.fixture
def snapshot() -> Callable[[Path], dict[str, tuple[int, int, bytes]]]:
    """What makes any write to a folder show: every path, with modification time, mode and bytes."""

    def take(root: Path) -> dict[str, tuple[int, int, bytes]]:
        return {
            str(path.relative_to(root)): (
                path.lstat().st_mtime_ns,
                path.lstat().st_mode,
                path.read_bytes() if path.is_file() else b"",
            )
            for path in [root, *root.rglob("*")]
        }

    return take


@pytest.fixture(scope="session")
def books(shared_data: Path) -> list[str]:
    """Paragraphs of real books, one a line, in several scripts' worth of punctuation."""
    lines = []
    for path in sorted((shared_data / "books" / "gutenberg").rglob("*.txt")):
        text = path.read_text("utf-8", errors="ignore").replace("\r\n", "\n")
        lines += [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
    return lines
