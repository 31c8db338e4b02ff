"""A file server on loopback that misbehaves as a test asks it to."""

from __future__ import annotations

import hashlib
import random
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

CONTENT = random.Random(7).randbytes(300_000)
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()


class Server(BaseHTTPRequestHandler):
    """Serves ``content``, or by path what is in ``contents``, in the manner a test asks for; remembers the requests.

    ``plan`` says how each request is answered, in order, ``plans`` the same for one path: a status of 400 or more, "cut",
    "endless", "elsewhere", or None for as it should be. A trial of the server's speed, which alone asks for a range with an
    end, is always answered as it should be.
    """

    content: ClassVar[bytes] = CONTENT
    etag: ClassVar[str | None] = '"one"'
    ranges: ClassVar[bool] = True
    heeds_if_range: ClassVar[bool] = True
    plan: ClassVar[list[Any]] = []
    contents: ClassVar[dict[str, bytes]] = {}
    plans: ClassVar[dict[str, list[Any]]] = {}
    is_asked: ClassVar[threading.Event]
    requests: ClassVar[list[dict[str, str]]] = []
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kind = type(self)
        kind.requests.append(dict(self.headers))
        kind.is_asked.set()
        path = self.path.lstrip("/")
        plan = kind.plans.get(path, kind.plan)
        is_trial = self.headers.get("Range", "").rpartition("-")[2] != ""
        step = plan.pop(0) if plan and not is_trial else None
        if isinstance(step, int) and step >= 400:
            self.send_response(step)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if step == "elsewhere":
            self.send_response(302)
            self.send_header("Location", "/moved.bin")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if step == "endless":
            self._never_end()
            return
        first = self._first()
        content = kind.contents.get(path, kind.content)
        body = content[first:]
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        if kind.etag:
            self.send_header("ETag", kind.etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if step == "cut":
            self.wfile.write(body[: len(body) // 3])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
        else:
            self.wfile.write(body)

    def _never_end(self) -> None:
        """A file so long that nobody waits for its end."""
        self.send_response(200)
        self.send_header("Content-Length", str(1 << 50))
        self.end_headers()
        with suppress(OSError):
            while True:
                self.wfile.write(bytes(1000))
                self.wfile.flush()

    def _first(self) -> int:
        asked = self.headers.get("Range", "")
        if not asked or not type(self).ranges:
            return 0
        if type(self).heeds_if_range and self.headers.get("If-Range") != type(self).etag:
            return 0
        return int(asked.removeprefix("bytes=").rstrip("-"))

    def log_message(self, *args: Any) -> None:
        """Quiet."""
