"""Sources on an object store give the very shards that the same files on disk give."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import shutil
from pathlib import Path

import pytest

from omni_ray import api
from omni_ray.corpora.base import SourceOptions
from omni_ray.errors import SourceError
from omni_ray.progress.reporter import Reporter
from omni_ray.sources.remote import RemoteTree
from omni_ray.storage import Storage

pytestmark = pytest.mark.usefixtures("no_ray_here")

CORPORA = (("audio", "librispeech"), ("images", "coco"), ("text", "wikipedia"), ("text", "books"))


def upload(folder: Path, bucket: str, name: str) -> str:
    place = Storage(bucket).child(name)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            inner = place
            *folders, base = path.relative_to(folder).parts
            for each in folders:
                inner = inner.child(each)
            inner.write(base, path.read_bytes())
    return place.uri


def shards(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((root / "data/shards").rglob("*.parquet"))
    }


@pytest.mark.slow
def test_the_same_shards_from_a_bucket(corpora: Path, bucket: str, tmp_path: Path) -> None:
    for _, name in CORPORA:
        upload(corpora / name, bucket, f"corpora/{name}")
    everything = Storage(bucket).child("corpora").uri
    for modality, name in CORPORA:
        api.prepare(tmp_path / "disk", modality, dataset=name, source=str(corpora / name))
        api.prepare(tmp_path / "bucket", modality, dataset=name, source=everything)
    assert shards(tmp_path / "bucket") == shards(tmp_path / "disk")
    again = api.prepare(tmp_path / "bucket", "audio", dataset="librispeech", source=everything)
    assert again.units_made == 0


def packed(folder: Path, target: Path) -> None:
    """LibriSpeech's split as tar.gz, COCO's folders as zips, LJSpeech as tar.bz2, MJSynth as a plain tar."""
    target.mkdir()
    shutil.make_archive(str(target / "train"), "gztar", folder / "librispeech")
    for part in (each for each in (folder / "coco").iterdir() if each.is_dir()):
        shutil.make_archive(str(target / part.name), "zip", folder / "coco", part.name)
    shutil.make_archive(str(target / "lj"), "bztar", folder / "ljspeech")
    shutil.make_archive(str(target / "words"), "tar", folder / "mjsynth")


@pytest.mark.slow
def test_archives_are_read_in_place(corpora: Path, bucket: str, tmp_path: Path) -> None:
    packed(corpora, tmp_path / "packed")
    everything = upload(tmp_path / "packed", bucket, "packed")
    for modality, name in (("audio", "librispeech"), ("images", "coco"), ("audio", "ljspeech"), ("ocr", "mjsynth")):
        api.prepare(tmp_path / "disk", modality, dataset=name, source=str(tmp_path / "packed"))
        api.prepare(tmp_path / "bucket", modality, dataset=name, source=everything)
    assert shards(tmp_path / "bucket") == shards(tmp_path / "disk")
    assert not list((tmp_path / "bucket").rglob("*.zip"))
    base, question, options = everything.partition("?")
    one = api.prepare(
        tmp_path / "one", "audio", dataset="librispeech", source=f"{base}/train.tar.gz{question}{options}"
    )
    assert one.summaries[0].kept
    assert api.prepare(tmp_path / "bucket", "images", dataset="coco", source=everything).units_made == 0


def test_one_file_and_a_list_with_its_media(corpora: Path, bucket: str, tmp_path: Path) -> None:
    clip = next((corpora / "librispeech").rglob("*.flac"))
    place = Storage(bucket).child("own")
    place.child("clips").write("1.flac", clip.read_bytes())
    place.write("list.csv", b"audio,text\nclips/1.flac,what is said\nclips/2.flac,not there\n")
    report = api.prepare(tmp_path, "audio", dataset="audio_files", source=place.uri, max_quarantine=1)
    assert (report.summaries[0].kept, dict(report.summaries[0].reasons)) == (1, {"missing_media": 1})
    place.write("lines.jsonl", b'{"text": "A line of text."}\n' * 20)
    base, question, options = place.uri.partition("?")
    one = api.prepare(tmp_path, "text", dataset="text_files", source=f"{base}/lines.jsonl{question}{options}")
    assert one.summaries[0].kept == 20


@pytest.mark.slow
def test_a_changed_object_makes_its_unit_stale(bucket: str, tmp_path: Path) -> None:
    place = Storage(bucket).child("changing")
    for name in ("a.txt", "b.txt"):
        place.write(name, f"A paragraph of {name}, of some length.\n".encode())
    options = SourceOptions(unit_scale=1e-6)
    first = api.prepare(tmp_path, "text", dataset="text_files", source=place.uri, options=options)
    place.write("b.txt", b"Another paragraph altogether, and another one.\n")
    second = api.prepare(tmp_path, "text", dataset="text_files", source=place.uri, options=options)
    assert 0 < second.units_made < first.units_made


@pytest.mark.slow
def test_what_is_not_there_is_one_line_without_keys(bucket: str) -> None:
    base, question, options = bucket.partition("?")
    with pytest.raises(SourceError, match="there is nothing"):
        RemoteTree(f"{base}/nowhere{question}{options}")
    with pytest.raises(SourceError, match=r"^s3://no-such-bucket/x: cannot be read") as caught:
        RemoteTree(f"s3://key:secret@no-such-bucket/x{question}{options}&request_timeout=1&connect_timeout=1")
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(SourceError, match="cannot be read"):
        RemoteTree("gopher://burrow/x")


@pytest.mark.slow
def test_names_that_lead_outside_are_no_names(bucket: str) -> None:
    Storage(bucket).child("safe").write("in.txt", b"inside")
    Storage(bucket).write("out.txt", b"outside")
    tree = RemoteTree(Storage(bucket).child("safe").uri)
    assert list(tree.names()) == ["in.txt"] and tree.read("in.txt") == b"inside"
    assert not tree.exists("../out.txt")
    with pytest.raises(FileNotFoundError):
        tree.open("../out.txt")


@pytest.mark.slow
def test_packed_files_are_cut_wherever_they_lie_and_leave_no_copies(bucket: str, tmp_path: Path) -> None:
    text = "".join(f"A line with the number {n * n}.\n" for n in range(2000))
    files = {"a.txt.gz": gzip.compress(text.encode()), "b.txt.xz": lzma.compress(text.upper().encode())}
    files["c.txt"] = text.replace("line", "Zeile, größer,").encode("utf-16")
    (tmp_path / "in").mkdir()
    for name, data in files.items():
        (tmp_path / "in" / name).write_bytes(data)
    there, said = upload(tmp_path / "in", bucket, "texts"), io.StringIO()
    reports = [
        api.prepare(
            tmp_path / root,
            "text",
            dataset="text_files",
            source=source,
            options=SourceOptions(unit_scale=2e-4),
            reporter=Reporter(stream=said),
        )
        for root, source in (("disk", str(tmp_path / "in")), ("bucket", there))
    ]
    assert shards(tmp_path / "bucket") == shards(tmp_path / "disk")
    assert all(each.units_made > 30 and each.summaries[0].kept == 6000 for each in reports)
    assert not list(tmp_path.rglob("*.plain"))
    lines = said.getvalue().splitlines()
    for line in (
        "a.txt.gz: looking through its 0.0 MB once, to read it in units",
        "b.txt.xz: unpacking its 0.0 MB, to read it in units",
        "c.txt: unpacking its 0.2 MB, to read it in units",
    ):
        assert lines.count(line) == 2
    again = api.prepare(
        tmp_path / "bucket", "text", dataset="text_files", source=there, options=SourceOptions(unit_scale=2e-4)
    )
    assert again.units_made == 0 and not list(tmp_path.rglob("*.plain"))
