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

from omni_ray import api
from omni_ray.api.rehearsing import rehearse
from omni_ray.cli.consent import consent
from omni_ray.corpora.base import Corpus, Download, SourceOptions, downloads_folder
from omni_ray.corpora.locate import LocatedCorpus, locate
from omni_ray.corpora.registry import all_corpora
from omni_ray.corpora.wanted import agreed, as_mini, cost, in_language, wanted
from omni_ray.errors import OmniError, SourceError
from omni_ray.sources.download import fetch

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
    if path.endswith("2017.zip") and not path.startswith("annotations"):
        return zipped(**{f"{path.removesuffix('.zip')}/1.jpg": "JPEG"})
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
        made.append(
            replace(
                each,
                url=url,
                size=size,
                about=each.about and len(body),
                checksum=known,
                checksums=sums and download(sums).url,
            )
        )
    return tuple(made)


LISTS = {
    "books": b"Text#,Type,Issued,Title,Language\r\n10,Text,x,B,en\r\n9,Text,x,\"A,\nB\",en\r\n7,Sound,x,C,en\r\n8,Text,x,D,de\r\n11,Text,x,E,en\r\n",
    "wikipedia": "".join(
        f"{hashlib.sha1(bz2.compress(XML)).hexdigest()}  enwiki-20261101-{name}\n"
        for name in ("pages-articles10.xml-p900p2000.bz2", "pages-articles1.xml-p1p41.bz2", "pages-articles2.xml-p42p899.bz2",
                     "pages-articles-multistream1.xml-p1p41.bz2", "pages-articles.xml.bz2", "abstract.xml.gz")
    ).encode(),
}  # fmt: skip
"""What the corpora with a catalogue are listed as."""


def on_loopback(corpus: Corpus, server: Any, monkeypatch: pytest.MonkeyPatch) -> list[Download]:
    """Have a corpus come from the server of the test. Returns what is fetched of it by default."""
    monkeypatch.setattr(type(corpus), "downloads", of_loopback(corpus, server))
    if corpus.catalogue is None:
        return wanted(corpus, (), None)
    kind, download = server
    module = type(corpus).__module__
    monkeypatch.setattr(f"{module}._HOST", download("").url.rstrip("/"))
    if corpus.name == "books":
        monkeypatch.setattr(f"{module}._PAUSE_S", 0)
    monkeypatch.setattr(type(corpus), "catalogue", replace(download("list"), path=corpus.catalogue.path))
    kind.contents["list"] = LISTS[corpus.name]
    listed = corpus.listed(LISTS[corpus.name])
    for each in listed:
        kind.contents[urlsplit(each.url).path.lstrip("/")] = TINY[corpus.name](each.path)
    return wanted(corpus, (), None, listed)


def find(corpus: Corpus, root: Path, **more: Any) -> LocatedCorpus:
    return locate(corpus, root, None, SourceOptions(), cache=root / "cache", **more)


@pytest.mark.slow
@pytest.mark.parametrize("broken", [0, -1])
@pytest.mark.parametrize("name", CORPORA)
def test_an_interrupted_download_is_gone_on_with_before_the_corpus_is_read(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, broken: int
) -> None:
    kind, _ = server
    corpus = CORPORA[name]
    needed = on_loopback(corpus, server, monkeypatch)
    whole = list(find(corpus, tmp_path / "undisturbed").drafts)
    kind.plans[urlsplit(needed[broken].url).path.lstrip("/")] = ["cut", 403]
    with pytest.raises(OmniError, match="403"):
        find(corpus, tmp_path / "root")
    folder = downloads_folder(tmp_path / "root", corpus)
    assert list(folder.iterdir()) and not (folder / needed[broken].path).exists()
    assert list(find(corpus, tmp_path / "root").drafts) == whole
    assert {each.name for each in folder.iterdir()} == {each.path for each in needed}
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
    assert "3 of 3 files are still missing" in said[0] and "--skip-download" in said[0]


def test_half_a_corpus_is_said_where_nothing_may_be_fetched(tmp_path: Path) -> None:
    corpus = CORPORA["coco"]
    folder = downloads_folder(tmp_path, corpus)
    folder.mkdir(parents=True)
    (folder / "annotations_trainval2017.zip").write_bytes(coco("annotations_trainval2017.zip"))
    with pytest.raises(SourceError, match="captions_train2017"):
        find(corpus, tmp_path, download=False)


def paths(name: str, *splits: str, limit: int | None = None) -> list[str]:
    return [each.path for each in wanted(CORPORA[name], splits, limit)]


def test_what_is_there_to_measure_on_is_fetched_only_where_it_is_asked_for() -> None:
    train = [f"train-{part}.tar.gz" for part in ("clean-100", "clean-360", "other-500")]
    assert paths("librispeech") == train
    assert paths("librispeech", "dev-clean", "test-other") == ["dev-clean.tar.gz", "test-other.tar.gz"]
    assert paths("librispeech", "dev-clean-2") == ["dev-clean-2.tar.gz"]
    assert paths("coco") == ["train2017.zip", "annotations_trainval2017.zip"]
    assert paths("coco", "val2017") == ["val2017.zip", "annotations_trainval2017.zip"]
    assert paths("textocr") == ["TextOCR_0.1_train.json", "train_val_images.zip"]
    assert paths("ljspeech", "train") == paths("ljspeech"), "a corpus without parts is fetched whole"
    with pytest.raises(SourceError, match="no split dev to fetch; choose from dev-clean, "):
        paths("librispeech", "dev")


@pytest.mark.parametrize(
    ("limit", "parts"), [(1, 1), (28_538, 1), (28_539, 2), (132_553, 3), (1_000_000, 3), (None, 3)]
)
def test_a_limit_fetches_the_parts_that_it_needs(limit: int | None, parts: int) -> None:
    assert len(paths("librispeech", limit=limit)) == parts


def test_a_large_download_is_asked_about_and_a_small_one_is_not(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = CORPORA["librispeech"]
    monkeypatch.setattr(type(corpus), "downloads", of_loopback(corpus, server))
    asked: list[tuple[str, int]] = []
    said: list[str] = []

    def no(sentence: str, size: int) -> bool:
        asked.append((sentence, size))
        return False

    find(corpus, tmp_path / "small", agree=no, say=said.append)
    assert not asked and "to fetch: 3 files into" in said[0] and "free on the disk" in said[0]
    monkeypatch.setattr("omni_ray.corpora.wanted.ASK_BYTES", 100)
    with pytest.raises(OmniError, match=r"librispeech: to fetch: 3 files into .*; --yes fetches them") as refused:
        find(corpus, tmp_path / "large", agree=no)
    assert "\n" not in str(refused.value) and asked[0][1] > 100
    assert "--skip-download" not in str(refused.value) and not (tmp_path / "large/data/downloads/librispeech").exists()
    own = downloads_folder(tmp_path / "own", corpus) / "notes.txt"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    with pytest.raises(OmniError, match="; --skip-download takes what lies there already; --yes fetches them"):
        find(corpus, tmp_path / "own", agree=no)
    assert asked[-1][0].endswith("already") and [each.name for each in own.parent.iterdir()] == ["notes.txt"]
    find(corpus, tmp_path / "large", agree=lambda sentence, size: True)


def test_a_disk_without_room_is_said_before_anything_is_fetched(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = CORPORA["librispeech"]
    monkeypatch.setattr(type(corpus), "downloads", of_loopback(corpus, server))
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 10}))
    with pytest.raises(OmniError, match="too little"):
        find(corpus, tmp_path)


def test_what_is_there_already_is_neither_said_nor_asked_about(tmp_path: Path) -> None:
    said: list[str] = []
    agreed(CORPORA["librispeech"], [], tmp_path, lambda sentence, size: False, said.append)
    assert not said


def test_without_a_terminal_nobody_is_asked() -> None:
    assert consent(yes=True, quiet=True)("60 GB", 60 << 30)
    assert not consent(yes=False, quiet=False)("60 GB", 60 << 30)


def test_a_rehearsal_says_what_would_be_fetched_and_read_and_writes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "project"
    [line] = rehearse(root, ["audio"], dataset="librispeech", max_samples=100)
    assert line.startswith("audio/librispeech: would fetch 1 file into ") and "6.4 GB" in line
    source = tmp_path / "dev-clean.tar.gz"
    source.write_bytes(librispeech("dev-clean.tar.gz"))
    lines = rehearse(root, ["audio"], dataset="librispeech", source=[str(source)])
    assert "would read 2 of 2 files" in lines[0] and "1 of 1 units" in lines[0]
    assert lines[1] == "audio/librispeech: evaluation splits: dev-clean (--evaluation train)"
    [line] = rehearse(root, ["audio"], dataset="common_voice")
    assert "would be skipped: common_voice: not found" in line
    with pytest.raises(SourceError, match="write hf://datasets/some/thing"):
        rehearse(root, ["text"], dataset="wikipedia", source=["some/thing"])
    assert [path.name for path in tmp_path.iterdir()] == ["dev-clean.tar.gz"]


def test_parts_are_those_of_the_list_in_the_order_in_which_they_are_read(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = CORPORA["wikipedia"]
    on_loopback(corpus, server, monkeypatch)
    found = find(corpus, tmp_path, limit=100)
    folder = downloads_folder(tmp_path, corpus)
    first = "001-enwiki-latest-pages-articles1.xml-p1p41.bz2"
    assert [each.name for each in folder.iterdir()] == [first]
    some = list(found.drafts)
    asked = len(server[0].requests)
    assert list(find(corpus, tmp_path, limit=100).drafts) == some and len(server[0].requests) == asked, "all is there"
    more = list(find(corpus, tmp_path).drafts)
    names = [
        first,
        "002-enwiki-latest-pages-articles2.xml-p42p899.bz2",
        "003-enwiki-latest-pages-articles10.xml-p900p2000.bz2",
    ]
    assert more[: len(some)] == some and [each.inputs[0] for each in more] == names
    assert all(
        each.checksum and each.url.endswith(".bz2") and "/enwiki/20261101/" in each.url
        for each in corpus.listed(LISTS["wikipedia"])
    )
    # Another dump cuts its parts elsewhere: those of the one before are no more read beside them.
    server[0].contents["list"] = (
        LISTS["wikipedia"].replace(b"p900p2000", b"p900p2001").replace(b"20261101", b"20261201")
    )
    for each in corpus.listed(server[0].contents["list"]):
        server[0].contents[urlsplit(each.url).path.lstrip("/")] = TINY["wikipedia"](each.path)
    said: list[str] = []
    again = list(find(corpus, tmp_path, redownload=True, say=said.append).drafts)
    assert [each.inputs[0] for each in again] == [*names[:2], names[2].replace("p2000", "p2001")]
    assert any("p900p2000.bz2 is not listed any more: it is kept as" in each for each in said)


def test_a_dump_that_is_there_whole_is_not_fetched_in_parts(tmp_path: Path) -> None:
    corpus = CORPORA["wikipedia"]
    folder = downloads_folder(tmp_path, corpus)
    folder.mkdir(parents=True)
    (folder / "enwiki-latest-pages-articles.xml.bz2").write_bytes(bz2.compress(XML))
    assert len(list(find(corpus, tmp_path).drafts)) == 1


def test_books_come_by_the_catalogue_as_many_as_are_needed(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = CORPORA["books"]
    on_loopback(corpus, server, monkeypatch)
    find(corpus, tmp_path, limit=1_500)
    folder = downloads_folder(tmp_path, corpus)
    assert sorted(each.name for each in folder.iterdir()) == ["pg10.txt", "pg9.txt"]
    server[0].plans["cache/epub/11/pg11.txt"] = [404]
    said: list[str] = []
    [draft] = find(corpus, tmp_path, say=said.append).drafts
    assert [book for book, _ in draft.payload["books"]] == ["9", "10"]
    assert any("pg11.txt is not there; it is left out" in each for each in said)
    asked = len(server[0].requests)
    assert list(find(corpus, tmp_path).drafts) and len(server[0].requests) == asked, "nor is it asked for again"


def test_a_server_that_asks_for_pauses_gets_them(server: Any, tmp_path: Path) -> None:
    download = server[1]
    pauses: list[float] = []
    files = [download(f"{number}.bin", pause_s=2.0) for number in range(3)]
    fetch(files, tmp_path / "d" / "books", wait=pauses.append)
    assert pauses == [2.0] * 3
    _, sentence = cost([replace(files[0], pause_s=2.0)] * 100, tmp_path)
    assert "at least 3 min at the pace that the server asks for" in sentence


@pytest.mark.slow
def test_a_first_try_takes_the_smallest_part(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = SourceOptions(splits=("mini",))
    meant = {name: as_mini(corpus, options, 1_000_000) for name, corpus in CORPORA.items()}
    of = {name: [each.path for each in wanted(CORPORA[name], small.splits, n)] for name, (small, n) in meant.items()}
    assert of["librispeech"] == ["dev-clean-2.tar.gz"] and of["coco"][0] == "val2017.zip"
    assert len(of["books"]) == 56 and meant["coco"][1] == 2500 and meant["ljspeech"][1] == 500
    assert as_mini(CORPORA["ljspeech"], options, 7)[1] == 7
    assert as_mini(CORPORA["coco"], SourceOptions(), None) == (SourceOptions(), None)
    corpus = CORPORA["books"]
    on_loopback(corpus, server, monkeypatch)
    [line] = rehearse(tmp_path, ["text"], dataset="books", options=options)
    assert "would fetch 56 files" in line
    [line] = rehearse(tmp_path, ["text"], dataset="books")
    assert "would fetch its list, http://127.0.0.1" in line and not server[0].requests
    monkeypatch.setattr("omni_ray.api.making._run", lambda *_: None)
    api.prepare(tmp_path, "text", dataset="books", options=options)
    assert len(list(downloads_folder(tmp_path, corpus).iterdir())) == 56


GERMAN = XML.replace(b"https://en.", b"https://de.").replace(b'"en"', b'"de"')


@pytest.mark.parametrize("parts", [("1.xml-p1p9", "2.xml-p10p99"), ()])
def test_wikipedia_comes_in_another_language_apart_from_english(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts: tuple[str, ...]
) -> None:
    corpus, (kind, _) = CORPORA["wikipedia"], server
    on_loopback(corpus, server, monkeypatch)
    find(corpus, tmp_path, limit=100)
    body = bz2.compress(GERMAN)
    names = [f"dewiki-20261101-pages-articles{part}.bz2" for part in parts]
    listed = [*names, "dewiki-latest-pages-articles.xml.bz2"]
    kind.contents["dewiki/latest/dewiki-latest-sha1sums.txt"] = "".join(
        f"{hashlib.sha1(body).hexdigest()}  {name}\n" for name in listed
    ).encode()
    kind.contents |= {f"dewiki/20261101/{name}": body for name in names}
    kind.contents["dewiki/latest/dewiki-latest-pages-articles.xml.bz2"] = body
    german = in_language(corpus, SourceOptions(languages=("de",)), ())
    drafts = list(find(german, tmp_path).drafts)
    assert len(drafts) == max(1, len(parts)) and {each.payload["lang"] for each in drafts} == {"de"}
    folders = {path.name: len(list(path.iterdir())) for path in (tmp_path / "data/downloads").iterdir()}
    assert folders["wikipedia"] == 1 and folders["wikipedia-de"] == max(1, len(parts))
    assert {each.payload["lang"] for each in find(corpus, tmp_path, limit=100).drafts} == {"en"}


def test_books_come_in_another_language(server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, (kind, _) = CORPORA["books"], server
    on_loopback(corpus, server, monkeypatch)
    kind.contents["cache/epub/8/pg8.txt"] = TINY["books"]("pg8.txt")
    monkeypatch.setattr("omni_ray.api.making._run", lambda *_: None)
    options = SourceOptions(languages=("de",))
    [line] = rehearse(tmp_path, ["text"], dataset="books", options=options)
    assert "would fetch its list" in line
    api.prepare(tmp_path, "text", dataset="books", options=options)
    assert [each.name for each in (tmp_path / "data/downloads/books-de").iterdir()] == ["pg8.txt"]
    with pytest.raises(SourceError, match="lists no texts in eo"):
        api.prepare(tmp_path, "text", dataset="books", options=SourceOptions(languages=("eo",)))


@pytest.mark.parametrize(
    ("name", "languages", "sources", "said"),
    [
        ("wikipedia", ("de", "fr"), (), "one --language at a time is fetched; .* --name wikipedia_fr"),
        ("wikipedia", ("../x",), (), "give what a Wikipedia's address begins with"),
        ("books", ("de",), ("folder",), "a --source is read in any language"),
    ],
)
def test_a_language_that_cannot_be_fetched_is_one_sentence(
    name: str, languages: tuple[str, ...], sources: tuple[str, ...], said: str
) -> None:
    with pytest.raises(SourceError, match=said):
        in_language(CORPORA[name], SourceOptions(languages=languages), sources)


def test_english_is_what_is_fetched_anyway(tmp_path: Path) -> None:
    corpus = CORPORA["wikipedia"]
    assert in_language(corpus, SourceOptions(languages=("en",)), ()) is corpus
    assert in_language(CORPORA["coco"], SourceOptions(languages=("de",)), ()) is CORPORA["coco"]
    with pytest.raises(SourceError, match="has no folders of languages"):
        locate(CORPORA["coco"], tmp_path, None, SourceOptions(languages=("de",)), cache=tmp_path)
