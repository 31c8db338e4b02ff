"""A file server for the tests of downloads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from omni_ray.corpora.base import Download
from tests.loopback import served_by
from tests.sources.file_server import Server


@pytest.fixture
def server() -> Iterator[tuple[type[Server], Callable[..., Download]]]:
    """A handler class of its own to set up, and a maker of downloads from it."""
    kind = type(
        "OneServer", (Server,), {"plan": [], "requests": [], "contents": {}, "plans": {}, "is_asked": threading.Event()}
    )
    with served_by(kind) as address:

        def download(path: str = "file.bin", **more: Any) -> Download:
            return Download(f"{address}/{path}", path, **more)

        yield kind, download
