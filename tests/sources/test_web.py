"""Fetching from strangers' servers: what is asked, how often, and what is left alone. The server is on loopback."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import addresses
from omni_ray.corpora.base import Rejected
from omni_ray.corpora.image_captions import ImageCaptions
from omni_ray.corpora.image_urls import ImageUrls
from omni_ray.errors import SourceError
from omni_ray.sources import web
from omni_ray.sources.fetched import Fetched
from omni_ray.sources.web import Answer, Web
from tests.list_sources import Source, kept, lost
from tests.loopback import served_by
from tests.made_store import picture

JPEG = picture(1)
Step = tuple[int, dict[str, str], bytes]


class Handler(BaseHTTPRequestHandler):
    """Answers a path by its steps in turn, the last for ever; remembers what was asked."""

    steps: ClassVar[dict[str, list[Step]]] = {}
    asked: ClassVar[list[str]] = []
    now: ClassVar[int] = 0
    most: ClassVar[int] = 0
    lock: ClassVar[threading.Lock] = threading.Lock()
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        kind = type(self)
        with kind.lock:
            kind.asked.append(self.path)
            kind.now += 1
            kind.most = max(kind.most, kind.now)
            plan = kind.steps.get(self.path, [(404, {}, b"")])
            status, headers, body = plan.pop(0) if len(plan) > 1 else plan[0]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        with kind.lock:
            kind.now -= 1

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    Handler.steps, Handler.asked, Handler.now, Handler.most = {}, [], 0, 0
    with served_by(Handler) as address:
        yield address


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(tmp_path: Path, waits: list[float]) -> Web:
    return Web(tmp_path / "web", allow_private=True, wait=waits.append)


def file(body: bytes = JPEG, **headers: str) -> Step:
    return 200, {"Content-Type": "image/jpeg", **{k.replace("_", "-"): v for k, v in headers.items()}}, body


def moved(place: str) -> Step:
    return 302, {"Location": place}, b""


def test_a_file(server: str, client: Web) -> None:
    Handler.steps["/a%20b.jpg"] = [file()]
    answer = client.get(f" {server}/a b.jpg ")
    assert (answer.status, answer.data, answer.reason) == (200, JPEG, "")
    assert Handler.asked == ["/robots.txt", "/a%20b.jpg"]


@pytest.mark.parametrize(
    "step, reason, said",
    [
        ((404, {}, b""), "dead_link", "HTTP 404"),
        ((410, {}, b""), "dead_link", "HTTP 410"),
        ((403, {}, b""), "dead_link", "HTTP 403"),
        ((200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>"), "dead_link", "an HTML page"),
        ((302, {}, b""), "dead_link", "redirect to nowhere"),
        ((302, {"Location": "ftp://a/b"}, b""), "bad_path", "no address of http"),
        ((200, {"Content-Length": str(1 << 40)}, b""), "too_large", "1,099,511,627,776 bytes"),
        (file(X_Robots_Tag="noai"), "opted_out", "noai"),
        (file(X_Robots_Tag="noarchive, NoImageAI"), "opted_out", "noimageai"),
        (file(X_Robots_Tag="omni_ray: noindex"), "opted_out", "noindex"),
    ],
)
def test_answers_that_are_final(
    server: str, client: Web, waits: list[float], step: Step, reason: str, said: str
) -> None:
    Handler.steps["/x"] = [step]
    answer = client.get(f"{server}/x")
    assert (answer.reason, answer.data) == (reason, None)
    assert (said in answer.detail and "/x" in answer.detail) or reason == "bad_path"
    assert Handler.asked == ["/robots.txt", "/x"] and not waits


def test_a_header_for_another_agent_is_not_for_us(server: str, client: Web) -> None:
    Handler.steps["/x"] = [file(X_Robots_Tag="googlebot: noindex")]
    assert client.get(f"{server}/x").data == JPEG


def test_a_server_that_says_later(server: str, client: Web, waits: list[float]) -> None:
    Handler.steps["/x"] = [(500, {}, b""), (429, {"Retry-After": "7"}, b""), file()]
    assert client.get(f"{server}/x").data == JPEG
    assert waits == [1.0, 7.0]


def test_a_server_that_says_later_for_ever(server: str, client: Web) -> None:
    Handler.steps["/x"] = [(503, {"Retry-After": "1000000"}, b"")]
    answer = client.get(f"{server}/x")
    assert (answer.reason, answer.status) == ("unreachable", 503)
    assert Handler.asked.count("/x") == web.ATTEMPTS


def test_a_body_that_ends_early(server: str, client: Web) -> None:
    Handler.steps["/x"] = [(200, {"Content-Length": "9999", "Connection": "close"}, JPEG)]
    # The handler keeps the connection, so that the client would wait; a short one stands for a slow server.
    slow, web._TIMEOUT["read"] = web._TIMEOUT["read"], 0.05
    try:
        assert client.get(f"{server}/x").reason == "unreachable"
    finally:
        web._TIMEOUT["read"] = slow


def test_redirects(server: str, client: Web) -> None:
    Handler.steps |= {"/a": [moved("/b")], "/b": [moved(f"{server}/c")], "/c": [file()], "/loop": [moved("/loop")]}
    answer = client.get(f"{server}/a")
    assert (answer.data, answer.final) == (JPEG, f"{server}/c")
    assert "more than 5 redirects" in client.get(f"{server}/loop").detail
    assert Handler.asked.count("/loop") == web.MAX_REDIRECTS + 1


def test_robots(server: str, client: Web, tmp_path: Path) -> None:
    Handler.steps["/robots.txt"] = [(200, {}, b"User-agent: *\nDisallow: /private\nCrawl-delay: 2\n")]
    Handler.steps |= {"/private/x": [file()], "/x": [file()], "/to": [moved("/private/x")]}
    assert client.get(f"{server}/private/x").reason == "opted_out"
    assert client.get(f"{server}/to").reason == "opted_out"
    assert client.get(f"{server}/x").data == JPEG
    assert "/private/x" not in Handler.asked and Handler.asked.count("/robots.txt") == 1
    again = Web(tmp_path / "web", allow_private=True)
    assert again.get(f"{server}/private/y").reason == "opted_out"
    assert Handler.asked.count("/robots.txt") == 1


@pytest.mark.parametrize("status, reason", [(403, "opted_out"), (404, ""), (500, "unreachable")])
def test_robots_that_are_not_there(server: str, client: Web, status: int, reason: str) -> None:
    Handler.steps |= {"/robots.txt": [(status, {}, b"")], "/x": [file()]}
    assert client.get(f"{server}/x").reason == reason


@pytest.mark.parametrize(
    "address",
    [
        *(
            "http://127.0.0.1:1/",
            "http://localhost:1/x",
            "http://[::1]/",
            "http://10.0.0.1/",
            "http://192.168.1.1/a.jpg",
        ),
        *(
            "http://169.254.169.254/latest/meta-data",
            "http://0.0.0.0/",
            "http://[::ffff:127.0.0.1]/",
            "http://224.0.0.1/",
        ),
        *("file:///etc/passwd", "not an address", "", "http://", "javascript:alert(1)", "http://[::1"),
    ],
)
def test_private_addresses_and_none_are_refused(tmp_path: Path, address: str) -> None:
    assert Web(tmp_path).get(address).reason == "bad_path"


def test_a_redirect_into_a_private_network_is_refused(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Handler.steps["/x"] = [moved("http://10.1.2.3/secret")]
    client = Web(tmp_path)
    public = web._is_public
    monkeypatch.setattr(web, "_is_public", lambda address: address == "127.0.0.1" or public(address))
    answer = client.get(f"{server}/x")
    assert answer.reason == "bad_path" and "private network" in answer.detail


@pytest.mark.slow
def test_few_requests_at_a_time(server: str, client: Web, tmp_path: Path) -> None:
    for n in range(40):
        Handler.steps[f"/{n}"] = [file()]
    entries = Fetched(tmp_path / "f", "unit").complete([f"{server}/{n}" for n in range(40)], client.get, 0)
    assert all(entry.size == len(JPEG) and not entry.reason for entry in entries)
    assert Handler.most <= 2


def rows(source: Source, **more: Any) -> list[Any]:
    return source.rows(ImageUrls(), allow_private=True, **more)


def listed(source: Source, server: str, paths: list[str]) -> None:
    table = pa.table({"URL": [f"{server}/{path}" for path in paths], "TEXT": [f"caption of {path}" for path in paths]})
    source.put("x", "")
    pq.write_table(table, source.folder / "part-00000.parquet")


def test_each_address_is_kept_or_quarantined_and_none_is_asked_twice(server: str, tmp_path: Path) -> None:
    source = Source(tmp_path)
    listed(source, server, ["good", "gone", "later", "out"])
    Handler.steps |= {"/good": [file()], "/later": [(404, {}, b"")], "/out": [file(X_Robots_Tag="noai")]}
    first = rows(source)
    assert [(row["captions"], row["image"]) for row in kept(first)] == [(["caption of good"], JPEG)]
    assert [reason for _, reason in lost(first)] == ["dead_link", "dead_link", "opted_out"]
    assert all(f"{server}/" in row.detail for row in first if isinstance(row, Rejected))
    asked = list(Handler.asked)
    assert rows(source) == first and Handler.asked == asked
    [ledger] = tmp_path.glob("data/downloads/image_urls-fetched/*/ledgers/*.jsonl")
    assert '"status": 404' in ledger.read_text() and '"sha256": "' in ledger.read_text()


@pytest.mark.slow
def test_what_was_fetched_stays_where_its_list_changed_or_moved_and_its_server_is_gone(
    server: str, tmp_path: Path
) -> None:
    source = Source(tmp_path)
    paths = [f"{n}.jpg" for n in range(9)]
    listed(source, server, paths)
    Handler.steps |= {f"/{path}": [file(JPEG + bytes([n]))] for n, path in enumerate(paths)}
    pictures = {row["captions"][0]: row["image"] for row in kept(rows(source))}
    assert len(pictures) == 9

    asked = Handler.asked.copy()
    Handler.steps = {"/new.jpg": [file()]}
    listed(source, server, ["new.jpg", *paths[1:]])
    again = kept(rows(source))
    assert [row["captions"] for row in again] == [[f"caption of {path}"] for path in ("new.jpg", *paths[1:])]
    assert {row["captions"][0]: row["image"] for row in again[1:]}.items() <= pictures.items()
    assert Handler.asked.count("/robots.txt") - asked.count("/robots.txt") <= 1
    assert [each for each in Handler.asked[len(asked) :] if each != "/robots.txt"] == ["/new.jpg"]

    source.folder.rename(tmp_path / "elsewhere")
    source.folder = tmp_path / "elsewhere"
    listed(source, server, paths)
    assert {row["captions"][0]: row["image"] for row in kept(rows(source))} == pictures
    assert [each for each in Handler.asked[len(asked) :] if each != "/robots.txt"] == ["/new.jpg"]


def test_only_what_failed_for_a_passing_reason_is_asked_again(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "ATTEMPTS", 1)
    source = Source(tmp_path)
    listed(source, server, ["good", "gone", "later"])
    Handler.steps |= {"/good": [file()], "/later": [(503, {}, b""), file()]}
    assert [reason for _, reason in lost(rows(source))] == ["dead_link", "unreachable"]
    assert [reason for _, reason in lost(rows(source))] == ["dead_link", "unreachable"]
    assert [reason for _, reason in lost(rows(source, retry_failed=True))] == ["dead_link"]
    assert (Handler.asked.count("/good"), Handler.asked.count("/gone"), Handler.asked.count("/later")) == (1, 1, 2)


def test_a_kill_costs_what_was_under_way(tmp_path: Path) -> None:
    asked: list[str] = []

    def get(url: str) -> Answer:
        asked.append(url)
        return Answer(200, url.encode(), final=url)

    urls = [f"u{n}" for n in range(50)]
    fetched = Fetched(tmp_path, "unit")
    fetched.complete(urls, get, 0)
    ledger = tmp_path / "ledgers/unit.jsonl"
    lines = ledger.read_bytes().split(b"\n")
    ledger.write_bytes(b"\n".join(lines[:30]) + b"\n" + lines[30][:9])  # what a kill leaves
    fetched.path(fetched.entries()[int(next(iter(fetched.entries())))]).unlink()  # and what a disk lost
    asked.clear()
    entries = fetched.complete(urls, get, 0)
    assert [fetched.path(entry).read_bytes().decode() for entry in entries] == urls
    assert len(asked) == 21
    assert len(fetched.entries()) == 50


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one loopback address")
def test_a_list_survives_a_kill_and_asks_nobody_twice(tmp_path: Path) -> None:
    """Over real HTTP, in processes of their own, one of which is killed half-way; python -m benchmarks.addresses does more."""
    found = addresses.run(1000, tmp_path)
    assert Counter(found["ends"]) == addresses.wanted(1000)
    # What was under way: 16 threads, and what the server had answered when their process ended.
    assert found["asked_before_the_kill"] >= 500 and found["asked_twice"] <= 32


def test_tables_of_addresses_are_not_tables_of_pictures(tmp_path: Path) -> None:
    source = Source(tmp_path)
    listed(source, "http://a.example", ["a.jpg"])
    with pytest.raises(SourceError, match=r"column URL holds addresses .*--dataset image_urls fetches them"):
        source.rows(ImageCaptions())


def test_the_metadata_of_datacomp(server: str, tmp_path: Path) -> None:
    """Its tables of addresses as they are published, with what else they say where that is kept."""
    source = Source(tmp_path)
    Handler.steps |= {"/a.jpg": [file()], "/b.jpg": [file(picture(2))]}
    table = pa.table(
        {
            "uid": ["9f", "a0"],
            "url": [f"{server}/a.jpg", f"{server}/b.jpg"],
            "text": ["a boat", "ein Boot"],
            "original_width": [640, 480],
            "clip_l14_similarity_score": pa.array([0.25, 0.5], pa.float32()),
            "face_bboxes": [[[0.1, 0.2, 0.3, 0.4]], []],
            "sha256": ["00", "11"],
        }
    )
    source.put("metadata/x", "")
    pq.write_table(table, source.folder / "metadata/0a1b.parquet")
    found = kept(rows(source, keep_columns=True))
    assert [row["captions"] for row in found] == [["a boat"], ["ein Boot"]]
    said = '{"clip_l14_similarity_score":0.5,"face_bboxes":[],"original_width":480,"sha256":"11","uid":"a0"}'
    assert found[1]["extra"] == said


def test_a_list_of_cc3m_has_no_header(server: str, tmp_path: Path) -> None:
    source = Source(tmp_path)
    Handler.steps |= {"/1.jpg": [file()], "/2.jpg": [file()]}
    source.put("Train_GCC-training.tsv", f'a quiet "river" , wet\t{server}/1.jpg\nsecond\t{server}/2.jpg\n')
    assert [row["captions"] for row in kept(rows(source))] == [['a quiet "river" , wet'], ["second"]]
    other = Source(tmp_path / "other")
    other.put("cc12m.tsv", f"{server}/1.jpg\tone\n{server}/gone.jpg\ttwo\n")
    assert [row["captions"] for row in kept(rows(other))] == [["one"]]
