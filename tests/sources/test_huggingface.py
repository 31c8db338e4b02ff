"""Hub datasets through the real client, from a server on loopback that answers as the hub does."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from omni_ray.errors import OmniError
from omni_ray.sources import huggingface
from omni_ray.sources.huggingface import HubName, looks_like_hub_id, resolve

COMMIT = "a" * 40


def parquet(texts: list[str]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": texts}), buffer)
    return buffer.getvalue()


class Hub(BaseHTTPRequestHandler):
    """The two endpoints that are used: a dataset's information, and its files."""

    files: ClassVar[dict[str, bytes]] = {}
    status: ClassVar[int] = 200
    seen: ClassVar[list[tuple[str, str, str | None]]] = []
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def do_GET(self) -> None:
        self._answer(head=False)

    def _answer(self, *, head: bool) -> None:
        kind = type(self)
        kind.seen.append((self.command, self.path, self.headers.get("Authorization")))
        path = self.path.split("?")[0]
        if kind.status != 200:
            code = {401: "RepoNotFound", 403: "GatedRepo", 404: "RepoNotFound"}.get(kind.status, "")
            self._send(kind.status, b"{}", {"X-Error-Code": code, "X-Error-Message": "no"}, head)
        elif path.startswith("/api/datasets/"):
            siblings = [{"rfilename": name} for name in kind.files]
            body = json.dumps({"id": "org/set", "sha": COMMIT, "siblings": siblings}).encode()
            self._send(200, body, {"Content-Type": "application/json"}, head)
        else:
            body = kind.files[path.split(f"/resolve/{COMMIT}/")[1]]
            headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{len(body):040x}"', "X-Linked-Size": str(len(body))}
            self._send(200, body, headers, head)

    def _send(self, status: int, body: bytes, headers: dict[str, str], head: bool) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if not head:
            self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    kind = type("OneHub", (Hub,), {"files": {}, "seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    import huggingface_hub.constants as constants

    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(huggingface, "_is_offline", lambda: False)
    yield kind  # type: ignore[misc]
    server.shutdown()
    server.server_close()


def test_the_parquet_files_of_one_commit_become_a_tree(hub: type[Hub], tmp_path: Path) -> None:
    hub.files |= {
        "README.md": b"# card",
        "en/train-00000.parquet": parquet(["one", "two"]),
        "en/test-00000.parquet": parquet(["three"]),
        "de/train-00000.parquet": parquet(["vier"]),
    }
    tree = resolve("org/set", folder=tmp_path)
    assert sorted(tree.names()) == ["de/train-00000.parquet", "en/test-00000.parquet", "en/train-00000.parquet"]
    assert (tmp_path / "org--set" / COMMIT / "en/train-00000.parquet").read_bytes() == hub.files[
        "en/train-00000.parquet"
    ]
    part = resolve("hf://datasets/org/set/en", folder=tmp_path, splits=("train",))
    assert sorted(part.names()) == ["test-00000.parquet", "train-00000.parquet"]
    before = len([1 for _, path, _ in hub.seen if "/resolve/" in path])
    resolve("org/set", folder=tmp_path)
    assert len([1 for _, path, _ in hub.seen if "/resolve/" in path]) == before


def test_a_dataset_of_scripts_is_never_run(hub: type[Hub], tmp_path: Path) -> None:
    hub.files |= {"set.py": b"raise SystemExit", "README.md": b""}
    with pytest.raises(OmniError, match=r"no Parquet|never run"):
        resolve("org/set", folder=tmp_path)


@pytest.mark.parametrize(("status", "hint"), [(401, "HF_TOKEN"), (403, "HF_TOKEN"), (404, "check the name")])
def test_what_the_hub_refuses_is_one_sentence(hub: type[Hub], tmp_path: Path, status: int, hint: str) -> None:
    hub.status = status
    with pytest.raises(OmniError, match=hint) as error:
        resolve("org/set", folder=tmp_path)
    assert "\n" not in str(error.value)


def test_the_token_is_sent_and_never_shown(hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.status = 403
    said: list[str] = []
    with pytest.raises(OmniError) as error:
        resolve("org/set", folder=tmp_path, say=said.append)
    assert any(token == "Bearer hf_secret" for _, _, token in hub.seen)
    assert "hf_secret" not in str(error.value) + "".join(said)


def test_offline_takes_what_was_fetched_before(hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.files |= {"train-00000.parquet": parquet(["one"])}
    resolve("org/set", folder=tmp_path)
    monkeypatch.setattr(huggingface, "_is_offline", lambda: True)
    hub.seen.clear()
    assert list(resolve("org/set", folder=tmp_path).names()) == ["train-00000.parquet"]
    assert hub.seen == []
    with pytest.raises(OmniError, match="HF_HUB_OFFLINE"):
        resolve("org/other", folder=tmp_path)


def test_names_are_told_from_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert looks_like_hub_id("wikimedia/wikipedia") and looks_like_hub_id("hf://datasets/org/set")
    (tmp_path / "wikimedia" / "wikipedia").mkdir(parents=True)
    assert not looks_like_hub_id("wikimedia/wikipedia")
    assert (
        not looks_like_hub_id("/abs/path") and not looks_like_hub_id("./rel/path") and not looks_like_hub_id("file.csv")
    )
    assert HubName.parse("hf://datasets/org/set@v1/en/train") == HubName("org/set", "v1", "en/train")
    with pytest.raises(OmniError):
        HubName.parse("hf://nothing")
