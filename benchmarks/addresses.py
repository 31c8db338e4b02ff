"""A long list of addresses over real HTTP on loopback: memory, requests, and what a kill in the middle costs.

    python -m benchmarks.addresses [--count 100000]

A server of many hosts (127.0.0.1, 127.0.0.2, ...) answers as the web does: pictures, 404s, 500s that pass, pages, redirects in
circles, owners who opt out. One process reads the list as a worker would, unit by unit, and is killed when half of the
addresses were asked for; another one does it again. Linux: other systems have one loopback address.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.rounds import apart, peak

_HOSTS = 200
_EVERY = 500
"""One address in so many is of each odd kind."""
_ODD = ("gone", "later", "page", "circle", "opted", "private")
_WANTED = {
    "gone": "dead_link",
    "page": "dead_link",
    "circle": "dead_link",
    "opted": "opted_out",
    "private": "opted_out",
}


def kind_of(number: int) -> str:
    """What the server makes of an address."""
    return _ODD[number % _EVERY] if number % _EVERY < len(_ODD) else "good"


@dataclass
class Site:
    """The server: how often each path was asked for, and all but robots.txt together."""

    asked: Counter[str] = field(default_factory=Counter)
    pages: int = 0
    port: int = 0

    def start(self) -> None:
        """Serve in a thread, until the process ends."""
        ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True).start()
        ready.wait()

    async def _serve(self, ready: threading.Event) -> None:
        server = await asyncio.start_server(self._talk, "0.0.0.0", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await server.serve_forever()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                status, headers, body = self._answer(head.split(b" ", 2)[1].decode())
                lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
                writer.write(f"HTTP/1.1 {status} X\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        self.asked[path] += 1
        if path == "/robots.txt":
            return 200, {}, b"User-agent: *\nDisallow: /private\n"
        self.pages += 1
        kind = path.split("/")[1]
        if kind == "gone" or (kind == "later" and self.asked[path] == 1):
            return (404 if kind == "gone" else 500), {}, b""
        if kind == "circle":
            return 302, {"Location": path}, b""
        if kind == "page":
            return 200, {"Content-Type": "text/html"}, b"<html>"
        more = {"X-Robots-Tag": "noai"} if kind == "opted" else {}
        return 200, {"Content-Type": "image/jpeg", **more}, _picture() + path.encode()


@cache
def _picture() -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.effect_noise((48, 48), 40).convert("RGB").save(out, "JPEG")
    return out.getvalue()


def read_list(folder: Path) -> dict[str, Any]:
    """What a worker does with each unit, one after the other: what became of the addresses, and the memory it took."""
    import resource

    from omni_ray.corpora.base import Rejected, SourceOptions
    from omni_ray.corpora.image_urls import ImageUrls
    from omni_ray.corpora.locate import locate

    found = locate(
        ImageUrls(), folder, str(folder / "list.tsv"), SourceOptions(allow_private=True), cache=folder / "index"
    )
    ends: Counter[str] = Counter()
    units = 0
    for draft in found.drafts:
        units += 1
        for row in found.reader.read(found.tree, draft.payload):
            ends[row.reason if isinstance(row, Rejected) else "kept"] += 1
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"ends": ends, "units": units, "mb": round(peak()), "cpu_s": used.ru_utime + used.ru_stime}


def run(count: int, folder: Path) -> dict[str, Any]:
    """The whole of it: what the second process found, and how often addresses were asked for in all."""
    site = Site()
    site.start()
    with (folder / "list.tsv").open("w") as out:
        for number in range(count):
            kind = kind_of(number)
            out.write(
                f"A picture, number {number}.\thttp://127.0.0.{1 + number % _HOSTS}:{site.port}/{kind}/{number}\n"
            )
    first = get_context("spawn").Process(target=read_list, args=(folder,))
    first.start()
    while site.pages < count // 2 and first.is_alive():
        time.sleep(0.01)
    first.kill()
    first.join()
    before, started = site.pages, time.monotonic()
    done = apart(read_list, folder)
    again = sum(
        n - 1 for path, n in site.asked.items() if n > 1 and path.split("/")[1] in ("good", "gone", "page", "opted")
    )
    return {
        **done,
        "requests": site.pages,
        "asked_before_the_kill": before,
        "asked_twice": again,
        "wall_s": time.monotonic() - started,
    }


def wanted(count: int) -> Counter[str]:
    """How addresses must end, by the list alone."""
    return Counter(_WANTED.get(kind_of(number), "kept") for number in range(count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = run(options.count, Path(folder))
    print(json.dumps({"count": options.count, **found}))
    assert found["ends"] == wanted(options.count), wanted(options.count)


if __name__ == "__main__":
    main()
