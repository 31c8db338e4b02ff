"""On Ray, preparing leaves what it leaves in one process: the rest of what it does is tried without Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from omni_ray import api
from omni_ray.corpora.base import SourceOptions
from omni_ray.errors import OmniError
from omni_ray.storage import Storage
from tests.conftest import without_ray
from tests.pipeline.test_prepare import Films, digests, prepare

# The bucket first: workers have the keys that were there when Ray started.
pytestmark = pytest.mark.usefixtures("bucket", "ray_here", "subtitles_file")


@pytest.mark.parametrize("limit", [None, 12])
def test_the_same_bytes_and_counts_as_without_ray(tmp_path: Path, films: Films, limit: int | None) -> None:
    source = films(40, bad=(0, 3))
    there = prepare(tmp_path / "there", source, max_samples=limit, combine=True, clean="default")
    with without_ray():
        here = prepare(tmp_path / "here", source, max_samples=limit, combine=True, clean="default")
    assert digests(tmp_path / "there") == digests(tmp_path / "here")
    assert there.summaries == here.summaries and there.exit_code == here.exit_code
    assert prepare(tmp_path / "there", source, max_samples=limit, combine=True, clean="default").units_made == 0


def test_workers_read_an_object_store(tmp_path: Path, bucket: str, films: Films) -> None:
    source, place = films(7, bad=(2,)), Storage(bucket).child("source")
    for file in source.iterdir():
        place.write(file.name, file.read_bytes())
    for name, where in (("disk", str(source)), ("bucket", place.uri)):
        report = api.prepare(tmp_path / name, "text", dataset="subtitles", source=where, max_quarantine=1, combine=True)
        assert report.summaries[0].kept == 6
    corpus = "data/text/production_corpus.txt"
    assert (tmp_path / "bucket" / corpus).read_bytes() == (tmp_path / "disk" / corpus).read_bytes()


def test_shards_on_an_object_store_give_the_same_training_files(tmp_path: Path, bucket: str, films: Any) -> None:
    source = films(7, bad=(2,))
    more: dict[str, Any] = {
        "dataset": "subtitles", "source": str(source), "options": SourceOptions(unit_scale=2 / 200), "combine": True,
    }  # fmt: skip
    api.prepare(tmp_path / "local", "text", **more)
    shelf = Storage(bucket).child("run").uri
    report = api.prepare(tmp_path / "remote", "text", shards=shelf, **more)
    assert report.units_made == 4
    assert not (tmp_path / "remote/data/shards").exists()
    name = "data/text/production_corpus.txt"
    assert (tmp_path / "remote" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()
    assert api.prepare(tmp_path / "remote", "text", shards=shelf, **more).units_made == 0
    with Storage(shelf).child("text").child("subtitles").open("part-00000.parquet") as file:
        assert pq.ParquetFile(file).metadata.num_rows == 10


def test_a_file_that_changes_while_it_is_read_is_not_committed(
    tmp_path: Path, films: Films, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, root = films(4), tmp_path / "project"
    from omni_ray.pipeline import prepare as preparing

    run = preparing.acknowledgements

    def vanish(*args: Any, **more: Any) -> Any:
        (source / "film-003.srt").unlink()
        return run(*args, **more)

    monkeypatch.setattr(preparing, "acknowledgements", vanish)
    with pytest.raises(OmniError, match=r"film-003\.srt|changed or vanished"):
        prepare(root, source)
    monkeypatch.undo()
    assert (root / "data/shards/accounts/text/subtitles/part-00001.json").exists() is False
    assert prepare(root, source).summaries[0].records_in == 3
    restored = films(4)
    prepare(root, restored, combine=True)
    prepare(tmp_path / "undisturbed", restored, combine=True)
    assert digests(root) == digests(tmp_path / "undisturbed")
