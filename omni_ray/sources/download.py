"""Fetching files over HTTP: resumable, verified, and under their final names only when they are whole.

A download goes to ``<name>.part``; beside it ``<name>.part.json`` remembers which version of the file it holds. A
cut connection, a kill or a rerun goes on from the last byte, if the server still has the same version and honours
ranges; in every other case it starts over. Nothing is renamed before its size, its checksum where one is published, and
the integrity of its container have been checked. Ctrl-C, and an error that ends the run, stop every connection at its next bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from omni_ray import __version__
from omni_ray.errors import OmniError, said_by
from omni_ray.media_names import is_safe_name
from omni_ray.ours import Ledger, identity_of, put_aside
from omni_ray.records import Download
from omni_ray.sources.soundness import content_problem
from omni_ray.storage import remove_temporaries, write_atomic

if TYPE_CHECKING:
    import httpx

ATTEMPTS = 6
"""How many attempts in a row may bring nothing: those that made progress do not count."""
WRONG = 2
"""How often a whole file may be wrong: it may have been replaced meanwhile, but is not fetched forever."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_PER_HOST = 2
"""Connections to one host at a time: these are other people's servers."""
_TRIAL_BYTES, _TRIAL_S = 8 << 20, 2.0
_SAY_EVERY_S = 5.0
_DIGESTS = {32: "md5", 40: "sha1", 64: "sha256"}
"""Kinds of checksums by their number of hexadecimal digits."""
_GONE = frozenset({404, 410})
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
USER_AGENT = f"omni_ray/{__version__} (training data preparation)"


class _Again(Exception):
    """This attempt failed, but another may succeed."""

    def __init__(self, why: str, wait_s: float | None = None) -> None:
        super().__init__(why)
        self.wait_s = wait_s


class _Wrong(_Again):
    """The whole file came, but is not what was published."""


class _Lacking(Exception):
    """The server has no such file, and need not have one."""


class _Stopped(Exception):
    """Somebody else ended the run."""


@dataclass
class _State:
    """What is known of a part file: its version, by ETag or modification time, and the whole size."""

    url: str
    validator: str | None = None
    size: int | None = None

    @classmethod
    def load(cls, path: Path, url: str) -> _State:
        try:
            state = cls(**json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError):
            return cls(url)
        return state if state.url == url else cls(url)


def is_there(download: Download, folder: Path) -> bool:
    """Whether a file was fetched whole, or put there by hand: it has its name, and the published size. Or the server
    was asked for it, and does not have it."""
    target = folder / download.path
    if download.may_lack and not target.exists():
        return _note(download, folder, "lacking").exists()
    return target.exists() and download.size in {None, target.stat().st_size}


def _note(download: Download, folder: Path, what: str) -> Path:
    """A note beside the folder, which is a source and holds nothing else: "json", that we fetched the file, or "lacking", that the
    server does not have it, though its list names it."""
    return folder.parent / ".fetched" / folder.name / f"{download.path}.{what}"


def is_begun(download: Download, folder: Path) -> bool:
    """Whether a file is there, or a part of it."""
    return (folder / download.path).exists() or _part(folder / download.path).exists()


def _part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _state_file(target: Path) -> Path:
    return target.with_name(target.name + ".part.json")


def left(download: Download, folder: Path) -> int:
    """About how many bytes of a file are still to come."""
    part = _part(folder / download.path)
    return max(0, (download.size or download.about) - (part.stat().st_size if part.exists() else 0))


def rate_of(url: str) -> float:
    """Bytes per second, as measured on a file for a moment; 0 where nothing comes."""
    import httpx

    count = 0
    part = {"Range": f"bytes=0-{_TRIAL_BYTES - 1}"}
    with _client(httpx.Timeout(10.0)) as client:
        begun = time.monotonic()
        with suppress(httpx.HTTPError), client.stream("GET", url, headers=part) as answer:
            if answer.status_code not in {200, 206}:
                return 0.0
            for chunk in answer.iter_raw():
                count += len(chunk)
                if count >= _TRIAL_BYTES or time.monotonic() - begun > _TRIAL_S:
                    break
        return count / max(time.monotonic() - begun, 1e-6)


def _client(limits: httpx.Timeout) -> httpx.Client:
    import httpx

    headers = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    return httpx.Client(headers=headers, timeout=limits, follow_redirects=True)


def fetch(
    downloads: Sequence[Download],
    folder: Path,
    *,
    again: bool = False,
    say: Callable[[str], None] = lambda text: None,
    wait: Callable[[float], object] | None = None,
    client: httpx.Client | None = None,
) -> list[Path]:
    """Fetch files into ``folder``; those that are there, with the right size, are not fetched again.

    Args:
        again: fetch also what is there; it stays until the new one is whole, and for good where we did not fetch it.
        wait: sleeps between attempts; replaced in tests.
        client: the HTTP client; one with sane time limits by default.

    Raises:
        OmniError: a file cannot be fetched, or is not what it should be; the sentence says how to get it by hand.
    """
    import httpx

    _tidy(downloads, folder)
    gates = {
        (urlsplit(each.url).netloc, bool(each.pause_s)): threading.Semaphore(1 if each.pause_s else _PER_HOST)
        for each in downloads
    }
    limits = httpx.Timeout(30.0, read=20.0)  # Ctrl-C waits this long for a server that has gone silent
    stop = threading.Event()
    with client or _client(limits) as session:

        def one(download: Download) -> Path:
            if not again and is_there(download, folder):
                _state_file(folder / download.path).unlink(missing_ok=True)  # from a run that was killed just before
                return folder / download.path
            if not again and (folder / download.path).exists():
                raise OmniError(
                    f"{folder / download.path} is not what {download.url} publishes (another size), and is not written "
                    "over: move it away, or read what is there with --skip-download"
                )
            place = urlsplit(download.url).netloc
            with gates[place, bool(download.pause_s)]:
                if stop.is_set():
                    raise _Stopped
                path = _Fetcher(session, download, folder, say, wait or stop.wait, stop).run()
                if download.pause_s:
                    (wait or stop.wait)(download.pause_s)
                return path

        with futures.ThreadPoolExecutor(max_workers=4) as pool:
            try:
                running = [pool.submit(one, each) for each in downloads]
                for done in futures.as_completed(running):
                    done.result()  # an error ends the run, whichever file it is about
                return [each.result() for each in running]
            except BaseException:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _tidy(downloads: Sequence[Download], folder: Path) -> None:
    """Remove what a killed run left half written. Raises OmniError for a file that would lie outside ``folder``."""
    for each in downloads:
        if not is_safe_name(each.path):
            raise OmniError(f"{each.url}: would be written outside {folder}")
        for written in ((folder / each.path).parent, _note(each, folder, "json").parent):
            remove_temporaries(written)


@dataclass
class _Fetcher:
    """Fetches one file."""

    client: httpx.Client
    download: Download
    folder: Path
    say: Callable[[str], None]
    wait: Callable[[float], object]
    stop: threading.Event

    def __post_init__(self) -> None:
        self.target = self.folder / self.download.path
        self.part, self.state_file = _part(self.target), _state_file(self.target)

    def run(self) -> Path:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(self.part) and not self.state_file.exists():
            self.say(f"{self.part.name} was there, and not omni-ray's: it is kept as {put_aside(self.part).name}")
        in_vain = wrong = 0
        while True:
            self._heed_stop()
            had = self._size()
            try:
                self._attempt()
                self._check()
                self._appear()
                self.state_file.unlink(missing_ok=True)
                return self.target
            except _Lacking:
                write_atomic(_note(self.download, self.folder, "lacking"), self.download.url.encode())
                self.say(f"{self.download.path}: {self.download.url} is not there; it is left out")
                return self.target
            except _Again as error:
                wrong += isinstance(error, _Wrong)
                in_vain = 0 if self._size() > had else in_vain + 1
                if in_vain == ATTEMPTS or wrong == WRONG:
                    raise self._give_up(str(error)) from error
                self.say(f"{self.download.path}: {error}; trying again")
                pause = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** max(0, in_vain - 1)) * random.uniform(0.5, 1.0)
                self.wait(pause if error.wait_s is None else min(error.wait_s, _LONGEST_WAIT_S))

    def _appear(self) -> None:
        """Give the whole file its name; a file there that was not fetched, or was changed since, is kept beside it."""
        name = self.download.path
        ledger = Ledger.load(_note(self.download, self.folder, "json"), self.folder)
        if os.path.lexists(self.target) and not ledger.is_ours(name):
            self.say(f"{self.target.name} was not fetched by omni-ray: it is kept as {put_aside(self.target).name}")
        identity = identity_of(self.part)
        assert identity is not None
        ledger.expect(name, identity)
        self.part.replace(self.target)
        ledger.wrote(name)
        ledger.save()

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _heed_stop(self) -> None:
        if self.stop.is_set():
            raise _Stopped

    def _give_up(self, why: str) -> OmniError:
        return OmniError(f"{self.download.url} cannot be fetched ({why}); fetch it by hand and put it at {self.target}")

    def _attempt(self) -> None:
        """Bring the part file to its end, continuing where it is if the server plays along."""
        import httpx

        state = _State.load(self.state_file, self.download.url)
        have = self._size()
        if have and (state.validator is None or (state.size is not None and have > state.size)):
            have = 0  # nobody can say which version these bytes belong to
        if have and have == state.size:
            return
        headers = {"Range": f"bytes={have}-", "If-Range": str(state.validator)} if have else {}
        try:
            with self.client.stream("GET", self.download.url, headers=headers) as response:
                self._receive(response, have, state)
        except httpx.ConnectError as error:
            if _is_unknown_host(error):
                raise self._give_up("the network is out of reach: the host's name is not known here") from error
            raise _Again(str(error) or "no connection") from error
        except httpx.HTTPError as error:
            raise _Again(str(error) or type(error).__name__) from error
        except OSError as error:
            raise self._give_up(said_by(error)) from error

    def _receive(self, response: httpx.Response, have: int, known: _State) -> None:
        status = response.status_code
        if status == 416:
            # Beyond the end: the file has changed, or was cut short by us.
            self._forget()
            raise _Again("the server has another file than the one begun")
        if status in _TRANSIENT:
            raise _Again(f"the server says {status}", _retry_after(response))
        if status in _GONE and self.download.may_lack:
            raise _Lacking
        if status not in {200, 206}:
            raise self._give_up(f"the server says {status} {response.reason_phrase}".strip())
        begin, whole = (0, _length(response)) if status == 200 else _content_range(response)
        if begin not in {0, have}:
            self._forget()
            raise _Again("the server sent another part than the one asked for")
        if begin and (_validator(response) != known.validator or (known.size and whole not in {None, known.size})):
            # If-Range should have prevented this; some servers have never heard of it.
            self._forget()
            raise _Again("the server has another file than the one begun")
        if self.download.size is not None and whole is not None and whole != self.download.size:
            raise self._give_up(f"it has {whole:,} bytes there, not the {self.download.size:,} that are published")
        state = _State(self.download.url, _validator(response), whole)
        write_atomic(self.state_file, json.dumps(vars(state)).encode())
        with open(self.part, "r+b" if begin else "wb") as file:
            file.seek(begin)
            file.truncate()
            for chunk in self._shown(response, begin, whole):
                file.write(chunk)
            file.flush()
            end = file.tell()
        if whole is not None and end != whole:
            raise _Again(f"the connection ended after {end:,} of {whole:,} bytes")

    def _shown(self, response: httpx.Response, done: int, whole: int | None) -> Iterator[bytes]:
        first, started, said = done, time.monotonic(), time.monotonic()
        for chunk in response.iter_raw():
            self._heed_stop()
            yield chunk
            done += len(chunk)
            now = time.monotonic()
            if now - said > _SAY_EVERY_S:
                said = now
                rate = (done - first) / max(now - started, 1e-9)
                left = f", {(whole - done) / rate:,.0f} s left" if whole and rate else ""
                of = f" of {whole / 1e6:,.0f}" if whole else ""
                self.say(f"{self.download.path}: {done / 1e6:,.0f}{of} MB, {rate / 1e6:.1f} MB/s{left}")

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.state_file.unlink(missing_ok=True)

    def _check(self) -> None:
        """Check size, checksum and container. A wrong file is thrown away and fetched again."""
        problem = self._problem()
        if problem:
            self._forget()
            raise _Wrong(problem)

    def _problem(self) -> str | None:
        size = self._size()
        if self.download.size is not None and size != self.download.size:
            return f"it has {size:,} bytes, not {self.download.size:,}"
        checksum = self.download.checksum or self._listed_checksum()
        if checksum is not None:
            kind, _, wanted = checksum.partition(":")
            with open(self.part, "rb") as file:
                found = hashlib.file_digest(file, kind).hexdigest()
            if found != wanted:
                return f"its {kind} is {found}, not {wanted}"
        return content_problem(self.part, self.download.path)

    def _listed_checksum(self) -> str | None:
        """What a list that is published beside the file says; None where it cannot be fetched, or does not name the file."""
        import httpx

        if self.download.checksums is None:
            return None
        text = ""
        with suppress(httpx.HTTPError):
            response = self.client.get(self.download.checksums)
            text = response.text if response.status_code == 200 else ""
        wanted = _undated(self.download.url.rpartition("/")[2])
        for line in text.splitlines():
            digest, _, name = line.partition(" ")
            if _undated(name.strip(" *")) == wanted and len(digest) in _DIGESTS:
                return f"{_DIGESTS[len(digest)]}:{digest.lower()}"
        self.say(f"{self.download.path}: its checksum is not to be had from {self.download.checksums}; not compared")
        return None


def _undated(name: str) -> str:
    """A dump's name without its date: lists name the dated file that "latest" stands for."""
    return re.sub(r"-(\d{8}|latest)-", "-", name)


def _is_unknown_host(error: Exception) -> bool:
    text = str(error)
    return any(part in text for part in ("name resolution", "Name or service", "nodename", "No address associated"))


def _validator(response: httpx.Response) -> str | None:
    """A strong ETag, else the modification time: what If-Range may carry (RFC 9110, 13.1.5)."""
    etag: str | None = response.headers.get("ETag")
    if etag is not None and not etag.startswith("W/"):
        return etag
    modified: str | None = response.headers.get("Last-Modified")
    return modified


def _length(response: httpx.Response) -> int | None:
    value = response.headers.get("Content-Length")
    return int(value) if value is not None and value.isdigit() else None


def _content_range(response: httpx.Response) -> tuple[int, int | None]:
    """First byte and whole size of ``Content-Range: bytes 100-199/1000``."""
    value = response.headers.get("Content-Range", "")
    span, _, whole = value.removeprefix("bytes ").partition("/")
    first = span.partition("-")[0]
    if not first.isdigit():
        raise _Again("the server sent a part and did not say which")
    return int(first), int(whole) if whole.isdigit() else None


def _retry_after(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdigit() else None
