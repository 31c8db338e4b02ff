"""Every file that a corpus names, fetched from loopback as a tiny version, and what an interrupted download leaves."""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from omni_ray.corpora.base import Corpus, Download, Options
from omni_ray.corpora.locate import Found, downloads_folder, locate
from omni_ray.corpora.registry import all_corpora
from omni_ray.errors import OmniError, SourceError

CORPORA = {corpus.name: corpus for corpus in all_corpora() if corpus.downloads}
XML = b"""<mediawiki xml:lang="en"><siteinfo><base>https://en.wikipedia.org/wiki/Main_Page</base></siteinfo>
<page><title>A</title><ns>0</ns><id>1</id><revision><id>2</id><text>A is a letter.</text></revision></page></mediawiki>"""


def tarred(kind: str, **members: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{kind}") as tar:  # type: ignore[call-overload]
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def zipped(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def librispeech(path: str) -> bytes:
    folder = f"LibriSpeech/{path.removesuffix('.tar.gz')}/1/2"
    return tarred("gz", **{f"{folder}/1-2.trans.txt": "1-2-0000 WORDS\n", f"{folder}/1-2-0000.flac": "fLaC"})


def ljspeech(path: str) -> bytes:
    return tarred(
        "bz2", **{"LJSpeech-1.1/metadata.csv": "LJ001-0001|Words|words\n", "LJSpeech-1.1/wavs/LJ001-0001.wav": "R"}
    )


def mjsynth(path: str) -> bytes:
    folder = "mnt/ramdisk/max/90kDICT32px"
    return tarred("gz", **{f"{folder}/annotation.txt": "./1/2_WORD_0.jpg 0\n", f"{folder}/1/2_WORD_0.jpg": "JPEG"})


def coco(path: str) -> bytes:
    if path == "train2017.zip":
        return zipped(**{"train2017/1.jpg": "JPEG"})
    captions = {
        "images": [{"id": 1, "file_name": "1.jpg"}],
        "annotations": [{"id": 1, "image_id": 1, "caption": "It."}],
    }
    return zipped(**{"annotations/captions_train2017.json": json.dumps(captions)})


def textocr(path: str) -> bytes:
    if path.endswith(".zip"):
        return zipped(**{"train_images/a.jpg": "JPEG"})
    words = {"1": {"image_id": "a", "utf8_string": "word", "points": [0, 0, 1, 0, 1, 1, 0, 1]}}
    return json.dumps({"imgs": {"a": {"file_name": "train/a.jpg"}}, "anns": words}).encode()


TINY: dict[str, Callable[[str], bytes]] = {
    "librispeech": librispeech,
    "ljspeech": ljspeech,
    "mjsynth": mjsynth,
    "coco": coco,
    "textocr": textocr,
    "books": lambda path: f"The Project Gutenberg eBook, {path}\n*** START OF IT\nA line.\n".encode(),
    "wikipedia": lambda path: bz2.compress(XML),
}


def of_loopback(corpus: Corpus, server: Any) -> tuple[Download, ...]:
    """The same paths on the server of the test, with tiny files that are published as the real ones are."""
    kind, download = server
    made = []
    for each in corpus.downloads:
        body = TINY[corpus.name](each.path)
        place = urlsplit(each.url).path.lstrip("/")
        kind.contents[place] = body
        known = each.checksum and f"md5:{hashlib.md5(body).hexdigest()}"
        sums = each.checksums and urlsplit(each.checksums).path.lstrip("/")
        if sums:
            kind.contents[sums] = f"{hashlib.sha1(body).hexdigest()}  {place.rpartition('/')[2]}\n".encode()
        size = len(body) if each.size is not None else None
        url = download(place).url
        made.append(replace(each, url=url, size=size, checksum=known, checksums=sums and download(sums).url))
    return tuple(made)


def find(corpus: Corpus, root: Path, **more: Any) -> Found:
    return locate(corpus, root, None, Options(), cache=root / "cache", **more)


@pytest.mark.parametrize("broken", [0, -1])
@pytest.mark.parametrize("name", CORPORA)
def test_an_interrupted_download_is_gone_on_with_before_the_corpus_is_read(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, broken: int
) -> None:
    kind, _ = server
    corpus = CORPORA[name]
    monkeypatch.setattr(type(corpus), "downloads", of_loopback(corpus, server))
    whole = list(find(corpus, tmp_path / "undisturbed").drafts)
    kind.plans[urlsplit(corpus.downloads[broken].url).path.lstrip("/")] = ["cut", 404]
    with pytest.raises(OmniError, match="404"):
        find(corpus, tmp_path / "root")
    folder = downloads_folder(tmp_path / "root", corpus)
    assert list(folder.iterdir()) and not (folder / corpus.downloads[broken].path).exists()
    assert list(find(corpus, tmp_path / "root").drafts) == whole
    assert all((folder / each.path).is_file() for each in corpus.downloads)
    assert not list(folder.glob("*.part*"))


def test_what_was_put_there_by_hand_is_taken_as_it_is_when_told_so(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = CORPORA["librispeech"]
    monkeypatch.setattr(type(corpus), "downloads", of_loopback(corpus, server))
    folder = downloads_folder(tmp_path, corpus)
    folder.mkdir(parents=True)
    (folder / "dev-clean.tar.gz").write_bytes(librispeech("dev-clean.tar.gz"))
    said: list[str] = []
    assert len(list(find(corpus, tmp_path, download=False).drafts)) == 1
    assert server[0].requests == []
    find(corpus, tmp_path, say=said.append)
    assert "2 of 3 files are still missing" in said[0] and "--skip-download" in said[0]


def test_half_a_corpus_is_said_where_nothing_may_be_fetched(tmp_path: Path) -> None:
    corpus = CORPORA["coco"]
    folder = downloads_folder(tmp_path, corpus)
    folder.mkdir(parents=True)
    (folder / "annotations_trainval2017.zip").write_bytes(coco("annotations_trainval2017.zip"))
    with pytest.raises(SourceError, match="captions_train2017"):
        find(corpus, tmp_path, download=False)
