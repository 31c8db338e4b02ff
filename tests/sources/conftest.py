"""A file server for the tests of downloads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from omni_ray.corpora.base import Download
from tests.sources.file_server import Server


@pytest.fixture
def server() -> Iterator[tuple[type[Server], Callable[..., Download]]]:
    """A handler class of its own to set up, and a maker of downloads from it."""
    kind = type(
        "OneServer", (Server,), {"plan": [], "requests": [], "contents": {}, "plans": {}, "is_asked": threading.Event()}
    )
    http = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=http.serve_forever, daemon=True).start()

    def download(path: str = "file.bin", **more: Any) -> Download:
        return Download(f"http://127.0.0.1:{http.server_port}/{path}", path, **more)

    yield kind, download
    http.shutdown()
    http.server_close()
