"""Hub datasets through the real client, from a server on loopback that answers as the hub does."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from omni_ray.corpora.base import SourceOptions
from omni_ray.corpora.locate import locate
from omni_ray.corpora.text_files import TextFiles
from omni_ray.errors import OmniError
from omni_ray.sources import huggingface, open_spec
from omni_ray.sources.census import Claims, account
from omni_ray.sources.hub_splits import choose
from omni_ray.sources.huggingface import HubName, looks_like_hub_id, resolve
from tests.loopback import served_by

COMMIT = "a" * 40


def parquet(texts: list[str]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": texts}), buffer)
    return buffer.getvalue()


class Hub(BaseHTTPRequestHandler):
    """The endpoints that are used: a dataset's information, the list of its files with their sizes, and the files."""

    files: ClassVar[dict[str, bytes]] = {}
    status: ClassVar[int] = 200
    seen: ClassVar[list[tuple[str, str, str | None]]] = []
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(head=True)

    def do_GET(self) -> None:
        self._answer(head=False)

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
        wanted = json.loads(asked)["paths"] if asked.startswith("{") else parse_qs(asked)["paths"]
        found = [item for item in self._below("", everything=True) if item["path"] in wanted]
        self._send(200, json.dumps(found).encode(), {"Content-Type": "application/json"}, head=False)

    def _below(self, prefix: str, *, everything: bool) -> list[dict[str, Any]]:
        files = type(self).files
        folders = {"/".join(name.split("/")[:depth]) for name in files for depth in range(1, name.count("/") + 1)}
        items: list[dict[str, Any]] = [{"type": "directory", "path": name, "oid": "0" * 40} for name in sorted(folders)]
        items += [{"type": "file", "path": n, "size": len(body), "oid": "0" * 40} for n, body in files.items()]
        return [
            item for item in items
            if item["path"].startswith(prefix) and (everything or "/" not in item["path"].removeprefix(prefix))
        ]  # fmt: skip

    def _answer(self, *, head: bool) -> None:
        kind = type(self)
        kind.seen.append((self.command, self.path, self.headers.get("Authorization")))
        path = unquote(self.path.split("?")[0])
        if kind.status != 200:
            code = {401: "RepoNotFound", 403: "GatedRepo", 404: "RepoNotFound"}.get(kind.status, "")
            self._send(kind.status, b"{}", {"X-Error-Code": code, "X-Error-Message": "no"}, head)
        elif "/tree/" in path:
            folder = path.partition(f"/tree/{COMMIT}")[2].lstrip("/")
            items = self._below(f"{folder}/" if folder else "", everything="recursive=true" in self.path)
            self._send(200, json.dumps(items).encode(), {"Content-Type": "application/json"}, head)
        elif path.startswith("/api/datasets/"):
            siblings = [{"rfilename": name} for name in kind.files]
            body = json.dumps({"id": "org/set", "sha": COMMIT, "siblings": siblings}).encode()
            self._send(200, body, {"Content-Type": "application/json"}, head)
        elif f"/resolve/{COMMIT}/" in path:
            body = kind.files[path.split(f"/resolve/{COMMIT}/")[1]]
            headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{len(body):040x}"', "X-Linked-Size": str(len(body))}
            asked = self.headers.get("Range")
            if asked:
                first, last = asked.removeprefix("bytes=").split("-")
                headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
                body = body[int(first) : int(last) + 1]
            self._send(206 if asked else 200, body, headers, head)
        else:
            self._send(404, b"{}", {}, head)

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


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[type[Hub], str]]:
    """A hub on loopback, and its address."""
    kind = type("OneHub", (Hub,), {"files": {}, "seen": []})
    import huggingface_hub.constants as constants

    with served_by(kind) as address:
        resolve = address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", resolve)
        monkeypatch.setattr(huggingface, "_is_offline", lambda: False)
        yield kind, address


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    with serving(monkeypatch) as (kind, _):
        yield kind


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
    part = resolve("org/set/en", folder=tmp_path, splits=("train",))
    assert sorted(part.names()) == ["train-00000.parquet"]
    before = len([1 for _, path, _ in hub.seen if "/resolve/" in path])
    resolve("org/set", folder=tmp_path)
    assert len([1 for _, path, _ in hub.seen if "/resolve/" in path]) == before


def test_what_is_left_on_the_hub_is_named(hub: type[Hub], tmp_path: Path) -> None:
    hub.files |= {
        "a.parquet": parquet(["one"]),
        "data/shard-0.7z": b"x",
        "data/notes.tex": b"x",
        "README.md": b"x",
        ".gitattributes": b"x",
    }
    for source in ("org/set", "hf://datasets/org/set"):
        files = account(resolve(source, folder=tmp_path), Claims(), "text")
        left = {(group.reason, group.ending): group.fault for group in files.unread if group.ending != ".parquet"}
        assert left == {("archive", ".7z"): True, ("format", ".tex"): True, ("documentation", ".md"): False}


def test_a_dataset_of_scripts_is_never_run(hub: type[Hub], tmp_path: Path) -> None:
    hub.files |= {"set.py": b"raise SystemExit", "README.md": b""}
    with pytest.raises(OmniError, match=r"no table|never run"):
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


def test_offline_a_revision_is_the_commit_it_stood_for(
    hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.files |= {"train-00000.parquet": parquet(["one"])}
    resolve("org/set@v1", folder=tmp_path)
    monkeypatch.setattr(huggingface, "_is_offline", lambda: True)
    for known in ("org/set@v1", f"org/set@{COMMIT}", f"org/set@{COMMIT[:8]}"):
        assert list(resolve(known, folder=tmp_path).names()) == ["train-00000.parquet"]
    for unknown in ("org/set@v2", "org/set"):
        with pytest.raises(OmniError, match="HF_HUB_OFFLINE is set, and no"):
            resolve(unknown, folder=tmp_path)


def test_offline_half_a_dataset_is_not_taken_for_the_whole(
    hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.files |= {f"{split}/0.parquet": parquet([split]) for split in ("test", "train")}
    resolve("org/set/test", folder=tmp_path)
    monkeypatch.setattr(huggingface, "_is_offline", lambda: True)
    assert list(resolve("org/set/test", folder=tmp_path).names()) == ["0.parquet"]
    with pytest.raises(OmniError, match=r"train/0\.parquet is not in"):
        resolve("org/set", folder=tmp_path)


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


def test_streaming_reads_the_tables_where_they_are(hub: type[Hub], tmp_path: Path) -> None:
    hub.files |= {f"en/{split}-0.parquet": parquet([split]) for split in ("train", "test")}
    hub.files |= {"de/train-0.parquet": parquet(["eins"]), "en/notes.md": b"#", "../up.parquet": parquet(["no"])}
    tree = resolve("hf://datasets/org/set/en", folder=tmp_path, splits=("train",))
    assert list(tree.names()) == ["train-0.parquet"]
    at_a_worker = open_spec(json.loads(json.dumps(tree.spec())))
    assert at_a_worker.stamp(["train-0.parquet"]) == tree.stamp(["train-0.parquet"])
    with at_a_worker.open("train-0.parquet") as file:
        assert pq.read_table(file).column("text").to_pylist() == ["train"]
    assert list(tmp_path.iterdir()) == []
    assert all("de/" not in path and "test-0" not in path for _, path, _ in hub.seen)


@pytest.mark.slow
def test_streamed_and_fetched_give_the_same_training_files(hub: type[Hub], tmp_path: Path) -> None:
    import huggingface_hub.constants as constants

    hub.files |= {f"{n}.parquet": parquet([f"Line {n}.{i} of a set on the hub." for i in range(9)]) for n in range(2)}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    environment |= {"HF_ENDPOINT": constants.ENDPOINT, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_verysecret"}
    made = []
    for root, source in ((tmp_path / "streamed", "hf://datasets/org/set"), (tmp_path / "fetched", "org/set")):
        command = [sys.executable, "-m", "omni_ray", "prepare", "text", "--dataset", "text_files", "--source", source]
        command += ["--combine", "--cpus", "1", "--root", str(root)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "verysecret" not in done.stdout + done.stderr
        made.append((root / "data" / "text" / "production_corpus.txt").read_bytes())
    assert made[0] == made[1] and made[0].count(b"\n") == 18
    assert not (tmp_path / "streamed" / "data" / "downloads").exists()
    assert all(token == "Bearer hf_verysecret" for _, path, token in hub.seen if "/resolve/" in path)


RESOLVE = """
import sys
from pathlib import Path
from omni_ray.corpora.base import SourceOptions
from omni_ray.corpora.locate import locate
from omni_ray.corpora.text_files import TextFiles
from omni_ray.errors import OmniError
from omni_ray.sources.huggingface import resolve
try:
    print(*resolve("org/set", folder=Path(sys.argv[1])).names())
except OmniError as error:
    print(error)
"""


@pytest.mark.slow
def test_the_hub_s_own_variables_are_honoured(hub: type[Hub], tmp_path: Path) -> None:
    hub.files["data/train.parquet"] = parquet(["one"])
    import huggingface_hub.constants as constants

    def said(**variables: str) -> str:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("HF_")} | variables
        command = [sys.executable, "-c", RESOLVE, str(tmp_path / "hf")]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    endpoint = {"HF_ENDPOINT": constants.ENDPOINT, "HF_HOME": str(tmp_path / "home")}
    assert "HF_HUB_OFFLINE is set" in said(**endpoint, HF_HUB_OFFLINE="1")
    assert hub.seen == []
    assert said(**endpoint) == "data/train.parquet"
    asked = len(hub.seen)
    assert asked and said(**endpoint, HF_HUB_OFFLINE="1") == "data/train.parquet"
    assert len(hub.seen) == asked


CARD = b"""---
license: cc0-1.0
configs:
- config_name: clean
  data_files:
  - split: train.100
    path: clean/train.100/*.parquet
  - split: validation
    path: ["clean/held/*", "clean/more.parquet"]
- config_name: other
  data_files: "other/**"
---
# A set
"""
SET = [
    *("clean/train.100/0.parquet", "clean/train.100/1.parquet", "clean/train.1000/0.parquet"),
    *("clean/held/0.parquet", "clean/more.parquet", "other/a/0.parquet", "other/0.parquet", "stray.parquet"),
]


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", "hf://datasets/"])
def test_a_card_s_configurations_and_splits(hub: type[Hub], tmp_path: Path, prefix: str) -> None:
    hub.files |= {name: parquet([name]) for name in SET} | {"README.md": CARD}

    def named(*splits: str, configuration: str = "clean") -> list[str]:
        source = f"{prefix}org/set"
        return sorted(resolve(source, folder=tmp_path, configuration=configuration, splits=splits).names())

    assert named(configuration="") == sorted(SET)
    assert named("train.100") == SET[:2]
    assert named("validation") == SET[3:5]
    assert named("train.100", "validation") == sorted([*SET[:2], *SET[3:5]])
    assert named() == sorted([*SET[:2], *SET[3:5]])
    assert named(configuration="other") == sorted(SET[5:7])
    with pytest.raises(OmniError, match=r"no configuration dirty; there are: clean, other"):
        named(configuration="dirty")
    with pytest.raises(OmniError, match=r"no split test; there are: train\.100, validation"):
        named("test")


def test_a_default_configuration_is_taken_and_the_others_said(hub: type[Hub], tmp_path: Path) -> None:
    card = CARD.replace(b"- config_name: other", b"- config_name: other\n  default: true")
    hub.files |= {name: parquet([name]) for name in SET} | {"README.md": card}
    said: list[str] = []
    tree = resolve("org/set", folder=tmp_path, say=said.append)
    assert sorted(tree.names()) == sorted(SET[5:7])
    assert any("configuration other; not read: clean (--config NAME)" in line for line in said)


def test_configurations_that_share_files_are_never_mixed(hub: type[Hub], tmp_path: Path) -> None:
    hub.files |= {name: parquet([name]) for name in SET} | {"README.md": CARD.replace(b"other/**", b"**")}
    with pytest.raises(OmniError, match="clean and other share files; choose one with --config: clean, other"):
        resolve("org/set", folder=tmp_path)


@pytest.mark.parametrize(
    ("split", "files"),
    [
        ("train", ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"]),
        ("validation", ["a/dev/x.csv", "b/dev-1/y.csv"]),
        ("test", ["eval_data.jsonl", "x/my-test.jsonl"]),
        ("extra", ["extra/0.parquet"]),
    ],
)
def test_splits_by_the_names_of_folders_and_files(split: str, files: list[str]) -> None:
    others = ["contest/0.csv", "latest.jsonl", "trainer/0.csv", "devil.csv"]
    assert choose("org/set", [*files, *others], "", "", [split]).files == files


def test_a_configuration_without_a_card_is_a_folder() -> None:
    files = ["clean/train/0.parquet", "other/train/0.parquet"]
    assert choose("org/set", files, "", "clean", ["train"]).files == files[:1]
    with pytest.raises(OmniError, match="there are: clean, other"):
        choose("org/set", files, "not: [yaml", "all", [])


def test_splits_that_only_the_card_knows_reach_the_rows(hub: type[Hub], tmp_path: Path) -> None:
    hub.files |= {name: parquet([name]) for name in SET} | {"README.md": CARD}
    options = SourceOptions(configuration="clean", splits=("validation",))
    found = locate(TextFiles(), tmp_path, "org/set", options, cache=tmp_path / "cache")
    assert [draft.inputs for draft in found.drafts] == [("clean/more.parquet",), ("clean/held/0.parquet",)]


def test_media_that_only_a_table_names_come_with_it() -> None:
    card = "---\nconfigs:\n- config_name: default\n  data_files: metadata.csv\n---\n"
    files = ["clips/a.flac", "clips/b.mp3", "metadata.csv", "old.csv"]
    assert choose("org/set", files, card, "", []).files == files[:3]


def test_ten_thousand_files_are_chosen_at_once() -> None:
    files = [f"clean/train.100/{n:05}.parquet" for n in range(10_000)]
    assert len(choose("org/set", files, CARD.decode(), "clean", ["train.100"]).files) == 10_000
