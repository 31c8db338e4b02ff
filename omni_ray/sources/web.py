"""Fetching single files from strangers' web servers, politely: for lists of addresses.

It honours robots.txt and the headers by which owners opt out of training; all processes of a machine together ask one host
for few files at a time; answers that say "later" are believed. It refuses addresses inside private networks,
at every redirect and after the name was resolved, endless redirects, and files beyond a size.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
import socket
import ssl
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.robotparser import RobotFileParser

import httpcore
import httpx

from omni_ray.sources.download import USER_AGENT

ATTEMPTS = 3
MAX_REDIRECTS = 5
MAX_BYTES = 16 << 20
"""Bytes of a picture; larger ones are not fetched."""
AGENT = "omni_ray"
_PER_HOST = 2
_MAX_ROBOTS_BYTES = 500 << 10
_LONGEST_WAIT_S = 60.0
_LONGEST_DELAY_S = 10.0
_TOTAL_S = 90.0
_TIMEOUT = {"connect": 10.0, "read": 20.0, "write": 10.0, "pool": 60.0}
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
_OPT_OUT = frozenset({"noai", "noimageai", "noindex", "noimageindex", "none"})


@dataclass(frozen=True)
class Answer:
    """What became of an address.

    Attributes:
        status: the last HTTP status; None where no server answered.
        data: the file; None where there is none.
        reason: "" for a file, else a code of omni_ray.reasons.
        detail: what was seen, in one line.
        final: the address that answered, after redirects.
    """

    status: int | None
    data: bytes | None
    reason: str = ""
    detail: str = ""
    final: str = ""


class _Refused(Exception):
    """A request that ends without a file."""

    def __init__(self, reason: str, detail: str, status: int | None = None, wait_s: float = 0.0) -> None:
        super().__init__(detail)
        self.reason, self.status, self.wait_s = reason, status, wait_s


class Web:
    """Fetches files; safe for use by several threads.

    Args:
        folder: for what processes share: the slots of hosts, and robots.txt files.
        allow_private: fetch from private networks and this machine, too.
        wait: sleeps between attempts; replaced in tests.
    """

    def __init__(
        self, folder: Path, *, allow_private: bool = False, wait: Callable[[float], object] = time.sleep
    ) -> None:
        self._folder = folder
        self._wait = wait
        self._pool = httpcore.ConnectionPool(
            max_connections=64, keepalive_expiry=5.0, network_backend=_Checked(allow_private)
        )
        weakref.finalize(self, self._pool.close)
        self._robots: dict[str, RobotFileParser | _Refused] = {}
        for each in ("hosts", "robots"):
            (folder / each).mkdir(parents=True, exist_ok=True)

    def get(self, address: str) -> Answer:
        """The file at an address, or why there is none. Network errors never raise."""
        for attempt in range(ATTEMPTS):
            try:
                status, data, final = self._follow(address, MAX_BYTES)
                return Answer(status, data, final=final)
            except _Refused as error:
                if error.reason != "unreachable" or attempt == ATTEMPTS - 1:
                    return Answer(error.status, None, error.reason, " ".join(str(error).split())[:200])
                self._wait(min(error.wait_s or 2.0**attempt, _LONGEST_WAIT_S))
        raise AssertionError("unreachable")

    def _checked_url(self, address: str) -> httpx.URL:
        try:
            url = httpx.URL(address.strip())
        except (httpx.InvalidURL, ValueError) as error:
            raise _Refused("bad_path", f"{address} is no address") from error
        if url.scheme not in {"http", "https"} or not url.host:
            raise _Refused("bad_path", f"{address} is no address of http or https")
        return url

    def _follow(self, address: str, limit: int, *, is_robots: bool = False) -> tuple[int, bytes, str]:
        """Status, body and final address; robots.txt needs no permission, and may be a page."""
        url = self._checked_url(address)
        for _ in range(MAX_REDIRECTS + 1):
            delay = 0.0 if is_robots else self._permission(url)
            with self._slot(url.host):
                if delay:
                    self._wait(delay)
                status, headers, data = self._request(url, limit, accept_page=is_robots)
            if data is not None:
                return status, data, str(url)
            place = headers.get("location", "")
            if not place:
                raise _Refused("dead_link", f"{url}: a redirect to nowhere", status)
            url = self._checked_url(str(url.join(place)))
        raise _Refused("dead_link", f"{address}: more than {MAX_REDIRECTS} redirects", status)

    def _request(self, url: httpx.URL, limit: int, *, accept_page: bool) -> tuple[int, httpx.Headers, bytes | None]:
        """Status, headers and body of one request; no body for a redirect."""
        sent = [(b"Host", url.netloc), (b"User-Agent", USER_AGENT.encode()), (b"Accept-Encoding", b"identity")]
        try:
            with self._pool.stream("GET", str(url), headers=sent, extensions={"timeout": _TIMEOUT}) as response:
                headers = httpx.Headers(response.headers)
                _judge(url, response.status, headers, accept_page)
                if response.status >= 300:
                    return response.status, headers, None
                return response.status, headers, _body(url, response, headers, limit)
        except _Private as error:
            raise _Refused("bad_path", f"{url}: {error}") from error
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise _Refused("unreachable", f"{url}: {type(error).__name__}: {error}") from error
        except (OSError, ssl.SSLError, ValueError, httpcore.UnsupportedProtocol) as error:
            raise _Refused("unreachable", f"{url}: {type(error).__name__}: {error}") from error

    def _permission(self, url: httpx.URL) -> float:
        """Seconds that robots.txt asks to leave between requests. Raises where it, or its substitute, forbids one."""
        origin = f"{url.scheme}://{url.netloc.decode()}"
        if origin not in self._robots:
            try:
                self._robots[origin] = self._robots_of(origin)
            except _Refused as error:
                self._robots[origin] = error
        rules = self._robots[origin]
        if isinstance(rules, _Refused):
            raise rules
        if not rules.can_fetch(AGENT, str(url)):
            raise _Refused("opted_out", f"{url}: robots.txt of {url.host} forbids it")
        return min(float(rules.crawl_delay(AGENT) or 0), _LONGEST_DELAY_S)

    def _robots_of(self, origin: str) -> RobotFileParser:
        kept = self._folder / "robots" / f"{_digest(origin)}.json"
        try:
            lines = json.loads(kept.read_bytes())["lines"]
        except (OSError, ValueError, KeyError):
            lines = self._fetch_robots(origin)
            # What a kill leaves of it is not JSON, and is written again; a temporary file would stay.
            kept.write_bytes(json.dumps({"origin": origin, "lines": lines}).encode())
        rules = RobotFileParser()
        rules.parse(lines)
        return rules

    def _fetch_robots(self, origin: str) -> list[str]:
        """The lines of robots.txt; where there is none, everything is allowed; where it is kept from us, nothing is."""
        try:
            _, data, _ = self._follow(f"{origin}/robots.txt", _MAX_ROBOTS_BYTES, is_robots=True)
            return data.decode("utf-8", "replace").splitlines()
        except _Refused as error:
            if error.status in {401, 403}:
                return ["User-agent: *", "Disallow: /"]
            if error.reason in {"unreachable", "bad_path"}:
                raise
        return []

    @contextmanager
    def _slot(self, host: str) -> Iterator[None]:
        """One of the few requests that a host is asked at a time by all processes here; a killed process frees its own."""
        base = self._folder / "hosts" / _digest(host)[:3]  # millions of hosts share some thousand files
        files = [os.open(f"{base}.{number}", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC) for number in range(_PER_HOST)]
        try:
            for file in files:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    continue
            else:
                fcntl.flock(files[os.getpid() % _PER_HOST], fcntl.LOCK_EX)
            yield
        finally:
            for file in files:
                os.close(file)


class _Private(Exception):
    """A host that is inside a private network."""


class _Checked(httpcore.SyncBackend):
    """Connects to the very address that was found to be public: a name may mean another one a moment later."""

    def __init__(self, allow_private: bool) -> None:
        super().__init__()
        self._allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        found = [info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        public = [each for each in found if self._allow_private or _is_public(str(each))]
        if not public:
            raise _Private(f"{host} is {found[0]}, inside a private network")
        return super().connect_tcp(str(public[0]), port, timeout, local_address, socket_options)


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return found.is_global and not found.is_multicast and (mapped is None or mapped.is_global)


def _judge(url: httpx.URL, status: int, headers: httpx.Headers, accept_page: bool) -> None:
    """Raises for an answer that is neither a file nor a redirect."""
    if status in _PASSING:
        raise _Refused("unreachable", f"{url}: HTTP {status}", status, _seconds(headers.get("retry-after", "")))
    if status >= 400 or status < 200 or status in {204, 300, 304, 305, 306}:
        raise _Refused("dead_link", f"{url}: HTTP {status}", status)
    if accept_page or status >= 300:
        return
    if refusal := _opted_out(headers.get_list("x-robots-tag")):
        raise _Refused("opted_out", f"{url}: its owner says {refusal}", status)
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in {"text/html", "application/xhtml+xml"}:
        raise _Refused("dead_link", f"{url}: an HTML page instead of a file", status)


def _opted_out(tags: list[str]) -> str:
    """The directive of X-Robots-Tag headers that forbids training on a file; those for other agents do not count."""
    for line in map(str.lower, tags):
        agent, colon, rest = line.partition(":")
        directives = line
        if colon and "," not in agent:
            if agent.strip() not in {AGENT, "*"}:
                continue
            directives = rest
        for each in directives.split(","):
            if each.strip() in _OPT_OUT:
                return each.strip()
    return ""


def _body(url: httpx.URL, response: httpcore.Response, headers: httpx.Headers, limit: int) -> bytes:
    told = headers.get("content-length", "")
    if told.isdigit() and int(told) > limit:
        raise _Refused("too_large", f"{url}: {int(told):,} bytes", response.status)
    end = time.monotonic() + _TOTAL_S
    parts: list[bytes] = []
    size = 0
    for part in response.iter_stream():
        parts.append(part)
        size += len(part)
        if size > limit:
            raise _Refused("too_large", f"{url}: more than {limit:,} bytes", response.status)
        if time.monotonic() > end:
            raise _Refused("unreachable", f"{url}: not whole after {_TOTAL_S:.0f} seconds", response.status)
    return b"".join(parts)


def _seconds(retry_after: str) -> float:
    return min(float(retry_after), _LONGEST_WAIT_S) if retry_after.strip().isdigit() else 0.0


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()
