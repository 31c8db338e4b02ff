"""A small corpus of the kind users write, and one Ray for the module."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from omni_ray.corpora import registry
from omni_ray.pipeline.session import ray_session

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="session")
def subtitles_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worked example of docs/adding-a-corpus.md, as the file a reader would save."""
    page = (DOCS / "adding-a-corpus.md").read_text("utf-8")
    code = page.split("```python\n", 1)[1].split("```", 1)[0]
    file = tmp_path_factory.mktemp("corpus") / "subtitles.py"
    file.write_text(code, "utf-8")
    registry.add_file(file)
    return file


@pytest.fixture
def films(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of subtitle files: ``films(7, bad=(2,))`` has seven, the third of them not UTF-8."""

    def make(count: int, bad: tuple[int, ...] = (), lines: int = 5) -> Path:
        folder = tmp_path / "films"
        folder.mkdir(exist_ok=True)
        for i in range(count):
            blocks = [f"{n}\n00:00:{n:02d},000 --> 00:00:{n:02d},900\nFilm {i}, line {n}." for n in range(lines)]
            data = "\n\n".join(blocks).encode()
            (folder / f"film-{i:03d}.srt").write_bytes(b"\xff\xfe\xfa" if i in bad else data)
        return folder

    return make


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    """One local Ray of two CPUs for every test of a module."""
    with ray_session(num_cpus=2):
        yield


@pytest.fixture(scope="module")
def bucket(request: pytest.FixtureRequest) -> Iterator[str]:
    """An S3 server on loopback, and the URI of a folder in a bucket of it."""
    moto = pytest.importorskip("moto.server")
    import boto3

    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    before = {key: os.environ.get(key) for key in keys}
    os.environ |= keys
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket="shelf")
    yield f"s3://shelf/{request.module.__name__}?scheme=http&endpoint_override={host}:{port}"
    server.stop()
    for key, value in before.items():
        os.environ.pop(key) if value is None else os.environ.update({key: value})
