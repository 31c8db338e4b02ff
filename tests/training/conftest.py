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
def books(corpora: Path) -> list[str]:
    """Some 1,300 paragraphs of real books and sentences of one, one a line."""
    lines = []
    for path in sorted((corpora / "books").rglob("*.txt")):
        text = path.read_text("utf-8", errors="ignore").replace("\r\n", "\n")
        parts = text.split("\n" if path.name.startswith("books_large") else "\n\n")
        lines += [" ".join(part.split()) for part in parts if part.strip()]
    return lines
