"""Downloads from servers that behave, and from servers that do not: the file is whole, or it is not there."""

from __future__ import annotations

import hashlib
import io
import os
import re
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from omni_ray.corpora.base import Download
from omni_ray.errors import OmniError
from omni_ray.sources import download as download_module
from omni_ray.sources.download import ATTEMPTS, WRONG, fetch
from tests.sources.file_server import CONTENT, MD5


def get(download: Download, folder: Path) -> bytes:
    [path] = fetch([download], folder, wait=lambda seconds: None)
    assert {p.name for p in folder.iterdir()} == {path.name}
    return path.read_bytes()


def test_a_whole_file_is_fetched_once(server: Any, tmp_path: Path) -> None:
    kind, download = server
    assert get(download(size=len(CONTENT), checksum=MD5), tmp_path) == CONTENT
    assert get(download(size=len(CONTENT), checksum=MD5), tmp_path) == CONTENT
    assert len(kind.requests) == 1
    assert "omni_ray" in kind.requests[0]["User-Agent"]


def test_a_cut_connection_goes_on_where_it_was(server: Any, tmp_path: Path) -> None:
    kind, download = server
    kind.plan = ["cut", "cut"]
    assert get(download(checksum=MD5), tmp_path) == CONTENT
    starts = [request.get("Range") for request in kind.requests]
    assert starts[0] is None and starts[1] is not None and starts[2] is not None and starts[1] != starts[2]


def test_attempts_that_bring_it_further_do_not_count(server: Any, tmp_path: Path) -> None:
    kind, download = server
    kind.plan = ["cut"] * (3 * ATTEMPTS)
    assert get(download(checksum=MD5), tmp_path) == CONTENT
    kind.plan, kind.requests[:] = [500] * ATTEMPTS, []
    with pytest.raises(OmniError, match="says 500"):
        fetch([download("other.bin")], tmp_path, wait=lambda seconds: None)
    assert len(kind.requests) == ATTEMPTS


def test_a_server_without_ranges_makes_it_start_over(server: Any, tmp_path: Path) -> None:
    kind, download = server
    kind.plan, kind.ranges = ["cut"], False
    assert get(download(checksum=MD5), tmp_path) == CONTENT


def test_a_file_that_changed_meanwhile_is_not_glued_together(server: Any, tmp_path: Path) -> None:
    kind, download = server
    kind.plan = ["cut", 404]
    with pytest.raises(OmniError, match="404"):
        fetch([download()], tmp_path, wait=lambda seconds: None)
    kind.content, kind.etag = bytes(reversed(CONTENT)), '"two"'
    assert get(download(), tmp_path) == bytes(reversed(CONTENT))


def test_nor_by_a_server_that_heeds_no_condition(server: Any, tmp_path: Path) -> None:
    kind, download = server
    kind.plan, kind.heeds_if_range = ["cut", 404], False
    with pytest.raises(OmniError, match="404"):
        fetch([download()], tmp_path, wait=lambda seconds: None)
    kind.content, kind.etag = bytes(reversed(CONTENT)), '"two"'
    assert get(download(), tmp_path) == bytes(reversed(CONTENT))
    kind.requests.clear()
    (tmp_path / "file.bin").unlink()
    kind.plan = ["cut"]
    assert get(download(), tmp_path) == bytes(reversed(CONTENT))
    assert "Range" in kind.requests[1]


def test_without_a_version_nothing_is_resumed(server: Any, tmp_path: Path) -> None:
    kind, download = server
    kind.plan, kind.etag = ["cut"], None
    assert get(download(checksum=MD5), tmp_path) == CONTENT
    assert all("Range" not in request for request in kind.requests)


def test_range_beyond_the_end_starts_over(server: Any, tmp_path: Path) -> None:
    kind, download = server
    kind.plan = ["cut", 416]
    assert get(download(checksum=MD5), tmp_path) == CONTENT
    assert "Range" not in kind.requests[2]


def test_a_run_that_was_killed_is_taken_up(server: Any, tmp_path: Path) -> None:
    kind, download = server
    kind.plan = ["cut", 404]
    with pytest.raises(OmniError):
        fetch([download()], tmp_path, wait=lambda seconds: None)
    had = (tmp_path / "file.bin.part").stat().st_size
    assert 0 < had < len(CONTENT) and not (tmp_path / "file.bin").exists()
    kind.requests.clear()
    assert get(download(checksum=MD5), tmp_path) == CONTENT
    assert kind.requests[0]["Range"] == f"bytes={had}-"


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(server: Any, tmp_path: Path, status: int) -> None:
    kind, download = server
    kind.plan = [status, status]
    assert get(download(), tmp_path) == CONTENT


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_one_sentence_at_once(server: Any, tmp_path: Path, status: int) -> None:
    kind, download = server
    kind.plan = [status]
    with pytest.raises(OmniError, match=rf"{status}.*by hand and put it at .*file\.bin"):
        fetch([download()], tmp_path, wait=lambda seconds: None)
    assert len(kind.requests) == 1


def test_redirects_are_followed(server: Any, tmp_path: Path) -> None:
    kind, download = server
    kind.plan = ["elsewhere"]
    assert get(download(), tmp_path) == CONTENT


def test_another_size_than_published_is_refused(server: Any, tmp_path: Path) -> None:
    _, download = server
    with pytest.raises(OmniError, match="not the 5 that are published"):
        fetch([download(size=5)], tmp_path, wait=lambda seconds: None)
    assert not (tmp_path / "file.bin").exists()


def test_a_wrong_checksum_is_never_a_file(server: Any, tmp_path: Path) -> None:
    kind, download = server
    with pytest.raises(OmniError, match="its md5 is"):
        fetch([download(checksum="md5:" + "0" * 32)], tmp_path, wait=lambda seconds: None)
    assert len(kind.requests) == WRONG
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_an_error_page_is_no_archive(server: Any, tmp_path: Path) -> None:
    kind, download = server
    kind.content = b"<html>Sorry</html>"
    for name in ("x.zip", "x.tar.gz", "x.tar.bz2", "x.xml.bz2", "x.json.gz"):
        with pytest.raises(OmniError, match="it is no"):
            fetch([download(name)], tmp_path, wait=lambda seconds: None)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"a")
    kind.content, kind.etag = buffer.getvalue(), '"zip"'
    assert get(download("x.zip"), tmp_path) == buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("pg11.txt", b"\xef\xbb\xbf\n<!DOCTYPE html><title>Busy</title>", b"\xef\xbb\xbfThe Project Gutenberg eBook"),
        ("pg12.txt", b"<html><body>Busy", b"<i>Alice</i>"),
        ("list.json", b"<html></html>", b' {"imgs": {}}\n'),
        ("cut.json", b'{"imgs": {"a"', b"[1]"),
    ],
)
def test_a_web_page_is_no_text_and_half_a_list_no_list(
    server: Any, tmp_path: Path, name: str, wrong: bytes, right: bytes
) -> None:
    kind, download = server
    kind.content = wrong
    with pytest.raises(OmniError, match=r"web page|no JSON"):
        fetch([download(name)], tmp_path, wait=lambda seconds: None)
    kind.content, kind.etag = right, '"right"'
    assert get(download(name), tmp_path) == right


def test_a_checksum_is_looked_up_in_the_list_beside_the_file(server: Any, tmp_path: Path) -> None:
    kind, download = server
    name = "enwiki-latest-pages-articles.xml"
    sums = download("sums.txt").url
    sha1 = hashlib.sha1(CONTENT).hexdigest()
    other = f"{'1' * 40}  enwiki-20260101-pages-articles.xml-p1\n"
    kind.contents["sums.txt"] = f"{other}{'0' * 40}  enwiki-20260101-pages-articles.xml\n".encode()
    with pytest.raises(OmniError, match=f"its sha1 is {sha1}"):
        fetch([download(name, checksums=sums)], tmp_path, wait=lambda seconds: None)
    kind.contents["sums.txt"] = f"{other}{sha1}  enwiki-20260101-pages-articles.xml\n".encode()
    assert get(download(name, checksums=sums), tmp_path) == CONTENT
    kind.plans["sums.txt"] = [404]
    said: list[str] = []
    fetch([download(name, checksums=sums)], tmp_path / "other", say=said.append)
    assert "not compared" in said[-1]


def test_an_error_ends_the_other_downloads_too(server: Any, tmp_path: Path) -> None:
    kind, download = server
    kind.plans |= {"long.bin": ["endless"], "gone.bin": [404]}
    with pytest.raises(OmniError, match="404"):
        fetch([download("long.bin"), download("gone.bin")], tmp_path)


CORPUS = """
from omni_ray.corpora import Corpus, Download
class Long(Corpus):
    name = "long"; modality = "text"; title = licence = homepage = size = layout = "made up"; in_all = False
    downloads = (Download("{url}", "long.txt"),)
    def units(self, tree, options):
        yield from ()
    def read(self, tree, payload):
        yield from ()
"""


def test_fetching_again_replaces_what_was_fetched_and_nothing_else(server: Any, tmp_path: Path) -> None:
    _, download = server
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "file.bin").write_bytes(b"put there by hand")
    (folder / "file.bin.part").write_bytes(b"a browser's")
    said: list[str] = []
    for _ in range(2):
        fetch([download()], folder, again=True, say=said.append, wait=lambda seconds: None)
    assert (folder / "file.bin").read_bytes() == CONTENT
    kept = {path.read_bytes() for path in folder.glob("*.bak")}
    assert kept == {b"put there by hand", b"a browser's"} and len(list(folder.iterdir())) == 3
    assert len([each for each in said if "is kept as" in each]) == 2
    (folder / "file.bin").write_bytes(b"changed since")
    fetch([download()], folder, again=True, say=said.append, wait=lambda seconds: None)
    assert b"changed since" in {path.read_bytes() for path in folder.glob("*.bak")}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_download_can_be_interrupted(server: Any, tmp_path: Path, number: signal.Signals) -> None:
    kind, download = server
    kind.plan = ["endless"]
    (tmp_path / "long.py").write_text(CORPUS.format(url=download("long.txt").url))
    command = ["prepare", "text", "--dataset", "long", "--corpus-file", str(tmp_path / "long.py"), "-q"]
    process = subprocess.Popen(
        [sys.executable, "-m", "omni_ray", *command, "--root", str(tmp_path / "root")],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert kind.is_asked.wait(60)
    os.kill(process.pid, number)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said == "omni-ray: interrupted; run the same command again to go on\n"


def test_several_files_come_side_by_side_and_no_more_than_two_from_a_host(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, download = server
    two_are_here = threading.Barrier(2, timeout=30)
    at_work: list[int] = []
    most: list[int] = []
    answer = kind.do_GET

    def counted(self: Any) -> None:
        at_work.append(1)
        most.append(len(at_work))
        two_are_here.wait()
        answer(self)
        self.wfile.flush()

    receive = download_module._Fetcher.run

    def received(self: Any) -> Path:
        path = receive(self)
        at_work.pop()
        return path

    monkeypatch.setattr(kind, "do_GET", counted)
    monkeypatch.setattr(download_module._Fetcher, "run", received)
    wanted = [download(f"{i}.bin", checksum=MD5) for i in range(6)]
    paths = fetch(wanted, tmp_path, wait=lambda seconds: None)
    assert [p.name for p in paths] == [f"{i}.bin" for i in range(6)]
    assert all(p.read_bytes() == CONTENT for p in paths)
    assert max(most) == 2


def test_progress_tells_rate_and_time_left(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, download = server
    monkeypatch.setattr(download_module, "_SAY_EVERY_S", 0.0)
    said: list[str] = []
    fetch([download()], tmp_path, say=said.append)
    assert all(re.fullmatch(r"file\.bin: 0 of 0 MB, [\d.]+ MB/s, [\d,]+ s left", line) for line in said) and said


def test_a_host_out_of_reach_is_one_sentence(tmp_path: Path) -> None:
    download = Download("https://nowhere.invalid/LibriSpeech.tar.gz", "LibriSpeech.tar.gz")
    with pytest.raises(OmniError, match=r"nowhere\.invalid.*put it at") as error:
        fetch([download], tmp_path, wait=lambda seconds: None)
    assert "\n" not in str(error.value)


def test_nothing_is_written_outside_the_folder(tmp_path: Path) -> None:
    with pytest.raises(OmniError, match="outside"):
        fetch([Download("http://127.0.0.1/x", "../x")], tmp_path / "in")
