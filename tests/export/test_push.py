"""``omni-ray export hf DIR --push org/name`` with the real client, against a hub on loopback."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest

from omni_ray import api
from omni_ray.errors import OmniError
from omni_ray.progress.reporter import Reporter
from tests.loopback import served_by
from tests.made_store import commit, make_store, text_row


class Hub(BaseHTTPRequestHandler):
    """What the client asks for when it uploads: the repository, which files are large, their storage, and the commit."""

    files: ClassVar[dict[str, bytes]] = {}
    storage: ClassVar[dict[str, bytes]] = {}
    commits: ClassVar[list[str]] = []
    sent: ClassVar[list[str]] = []
    token: ClassVar[str] = "secret"
    protocol_version = "HTTP/1.1"

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if "/tree/" in path:
            listed = [
                {"type": "file", "path": name, "size": len(data), "oid": "0" * 40} for name, data in self.files.items()
            ]
            self._send(200, listed)
        elif path.endswith("/revision/main") or path == "/api/datasets/org/set":
            siblings = [{"rfilename": name} for name in self.files]
            self._send(200, {"id": "org/set", "sha": "a" * 40, "siblings": siblings})
        else:
            self._send(404, {})

    def do_PUT(self) -> None:
        data = self._body()
        self.storage[self.path.rpartition("/")[2]] = data
        self.sent.append(self.path)
        self._send(200, {})

    def do_POST(self) -> None:
        body = self._body()
        if self.headers.get("Authorization") != f"Bearer {self.token}" and "/storage/" not in self.path:
            self._send(401, {"error": "Invalid username or password."})
        elif self.path == "/api/repos/create":
            asked = json.loads(body)
            assert (asked["type"], asked["name"], asked["organization"]) == ("dataset", "set", "org")
            self._send(200, {"url": f"{self._home}/datasets/org/set"})
        elif "/preupload/" in self.path:
            files = json.loads(body)["files"]
            modes = [(each["path"], "lfs" if each["path"].endswith(".parquet") else "regular") for each in files]
            listed = [{"path": name, "uploadMode": mode, "shouldIgnore": False} for name, mode in modes]
            self._send(200, {"files": listed})
        elif self.path.endswith("/objects/batch"):
            objects: list[dict[str, Any]] = []
            for each in json.loads(body)["objects"]:
                there = each["oid"] in self.storage
                upload = {"upload": {"href": f"{self._home}/storage/{each['oid']}"}}
                objects.append({**each, **({} if there else {"actions": upload})})
            self._send(200, {"objects": objects, "transfer": "basic"})
        elif self.path == "/api/validate-yaml":
            self._send(200, {"errors": [], "warnings": []})
        else:
            assert "/commit/main" in self.path, self.path
            self._commit([json.loads(line) for line in body.splitlines()])

    def _commit(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                self.commits.append(value["summary"])
            elif line["key"] == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.files[value["path"]] = self.storage[value["oid"]]
            elif line["key"] == "deletedFile":
                del self.files[value["path"]]
        self._send(
            200,
            {"commitUrl": f"{self._home}/datasets/org/set/commit/{'b' * 40}", "commitOid": "b" * 40, "success": True},
        )

    @property
    def _home(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def _send(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    from huggingface_hub import constants

    kind = type("OneHub", (Hub,), {"files": {}, "storage": {}, "commits": [], "sent": []})
    with served_by(kind) as address:
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", "secret")
        yield kind  # type: ignore[misc]


def exported(root: Path, out: Path) -> dict[str, bytes]:
    api.export(root, "hf", out)
    files = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    del files["export.json"], files[".omni/project"]
    return files


@pytest.mark.slow
def test_the_hub_has_the_export_and_what_its_owner_put_there(hub: type[Hub], tmp_path: Path) -> None:
    mine = {"LICENSE.txt": b"the owner's", "text/notes.md": b"the owner's, too"}
    hub.files |= mine
    hub.files["text/gone/train-00000-of-00001.parquet"] = b"of an earlier export"
    files = exported(make_store(tmp_path / "p"), tmp_path / "out")
    said = io.StringIO()
    place = api.push(tmp_path / "out", "org/set", reporter=Reporter(stream=said)).address
    assert place.endswith("/datasets/org/set")
    assert "1 files there that are not in this export are removed, such as text/gone/" in said.getvalue()
    assert hub.files == {**files, **mine}
    assert len(hub.commits) == 1
    parquet = [data for name, data in files.items() if name.endswith(".parquet")]
    assert {path.rpartition("/")[2] for path in hub.sent} == {hashlib.sha256(data).hexdigest() for data in parquet}


@pytest.mark.slow
def test_what_is_there_is_not_sent_again(hub: type[Hub], tmp_path: Path) -> None:
    root = make_store(tmp_path / "p")
    exported(root, tmp_path / "out")
    api.push(tmp_path / "out", "org/set")
    before = len(hub.sent)
    commit(root, "text", "more", [[text_row(n) for n in range(5)]])
    files = exported(root, tmp_path / "out")
    api.push(tmp_path / "out", "org/set")
    assert hub.files == files and len(hub.sent) == before + 1


def test_a_token_without_the_right_is_one_sentence(
    hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported(make_store(tmp_path / "p"), tmp_path / "out")
    monkeypatch.setenv("HF_TOKEN", "another")
    with pytest.raises(OmniError, match=r"set HF_TOKEN to a token with write access.*the export itself is in"):
        api.push(tmp_path / "out", "org/set")


def test_what_cannot_be_pushed_is_said_before_anything_is_sent(hub: type[Hub], tmp_path: Path) -> None:
    with pytest.raises(OmniError, match="contains no export"):
        api.push(tmp_path, "org/set")
    exported(make_store(tmp_path / "p"), tmp_path / "out")
    with pytest.raises(OmniError, match="org/name"):
        api.push(tmp_path / "out", "just_a_name")
    assert not hub.sent and not hub.commits
