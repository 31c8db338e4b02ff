"""A modality more goes the whole way without a change to what is there: its four files beside this one, and a line for its flat
file. CONTRIBUTING.md names them."""

from __future__ import annotations

import csv
import json
import sys
import tarfile
from pathlib import Path

import pytest

from omni_ray import api
from omni_ray.corpora import registry
from omni_ray.trainers.files import FILES, FlatFile, all_modalities
from omni_ray.verify.media import Judge, Verdict
from omni_ray.verify.run import JUDGES
from tests.fifth_modality import clean, modality, view
from tests.fifth_modality.corpus import Tunes

FLAT = FlatFile(
    "melodies", "melodies", "csv", ("train_melody",), "production_melodies.csv", "melodies.csv", "{corpus}_melodies.csv",
    header=("score", "title"), media=("score",), text=("title",), starts_here=True,
)  # fmt: skip
PLACES = {
    "omni_ray.modalities.melodies": modality,
    "omni_ray.quality.clean_melodies": clean,
    "omni_ray.report.views.melodies": view,
}


class Listener(Judge):
    """Likes everything."""

    missing = "melody_missing"

    def judge(self, path: Path, text: str) -> Verdict:
        return Verdict()


@pytest.fixture
def root(no_ray: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A project of melodies: 20 tunes, of which one has too long a score, and a line that is no JSON."""
    for name, module in PLACES.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(FILES, "melodies", FLAT)
    monkeypatch.setitem(registry._added, ("melodies", "tunes"), Tunes())
    source = tmp_path / "source"
    source.mkdir()
    tunes = [{"id": f"t{n}", "title": f"Tune, number {n}" if n else "A", "abc": "CDEF " * (n + 1)} for n in range(20)]
    tunes[7]["abc"] = "G" * 1001
    lines = [json.dumps(tune) for tune in tunes]
    (source / "a.jsonl").write_text("\n".join([*lines[:10], "{"]))
    (source / "b.jsonl").write_text("\n".join(lines[10:]))
    report = api.prepare(tmp_path / "project", "melodies", dataset="tunes", source=str(source), clean="default")
    [summary] = report.summaries
    assert (summary.records_in, summary.kept, summary.reasons) == (21, 19, {"bad_row": 1, "too_long": 1})
    assert summary.removed == {"text_length": 1}
    return tmp_path / "project"


def test_from_records_to_files_that_are_read_back(root: Path) -> None:
    assert all_modalities() == ("text", "audio", "images", "ocr", "melodies")
    api.combine(root, holdout=0.3)
    rows = {}
    for side in ("production", "heldout"):
        with open(root / f"data/melodies/{side}_melodies.csv", newline="") as file:
            rows[side] = list(csv.DictReader(file))
        for row in rows[side]:
            score = (root / "data/melodies" / row["score"]).read_text()
            assert row["title"] == f"Tune, number {len(score) // 5 - 1}"
    assert rows["production"] and rows["heldout"] and sum(map(len, rows.values())) == 18
    checked = api.verify(root)
    assert checked.findings == []
    assert {file.file: file.rows for file in checked.files if file.kind == "melodies"} == {
        "data/melodies/production_melodies.csv": len(rows["production"]),
        "data/melodies/tunes_melodies.csv": len(rows["production"]),
        "data/melodies/heldout_melodies.csv": len(rows["heldout"]),
    }
    with open(root / "data/melodies/production_melodies.csv", "a") as file:
        file.write("tunes/t1.abc,one,comma too many\n")
    assert {finding.code for finding in api.verify(root).findings} >= {"extra_field", "count_mismatch"}
    first, second = (root / "data/melodies" / row["score"] for row in rows["production"][:2])
    first.unlink()
    second.write_bytes(b"")
    assert {finding.code for finding in api.verify(root).findings} >= {"media_missing", "media_empty"}


def test_whatever_is_wrong_with_its_file_is_found(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(JUDGES, "melodies", lambda project, folder, sizes: Listener(project, folder))
    api.combine(root, holdout=0.3)
    files = [root / f"data/melodies/{side}_melodies.csv" for side in ("production", "heldout")]
    held = files[1].read_text().splitlines()[1]
    files[0].write_text(f"{files[0].read_text()}{held}\ntunes/t2.abc,\ntunes/t3.abc\n")
    found = {finding.code for finding in api.verify(root).findings}
    assert found >= {"both_sides", "blank_text", "missing_field"}
    files[0].write_text("\ufeff" + FLAT.head.decode())
    assert "bom" in {finding.code for finding in api.verify(root).findings}
    files[0].write_bytes(FLAT.head)
    assert "empty" in {finding.code for finding in api.verify(root).findings}


def test_exports_and_the_page(root: Path, tmp_path: Path) -> None:
    api.export(root, "webdataset", tmp_path / "tars")
    with tarfile.open(tmp_path / "tars/melodies-tunes-000000.tar") as tar:
        assert tar.getnames()[:3] == ["t1.abc", "t1.txt", "t1.json"] and len(tar.getnames()) == 3 * 18
    api.export(root, "mds", tmp_path / "mds")
    [shard] = json.loads((tmp_path / "mds/melodies-tunes/index.json").read_text())["shards"]
    assert dict(zip(shard["column_names"], shard["column_encodings"], strict=True)) == {
        "id": "str", "more": "json", "score": "bytes", "title": "str",
    }  # fmt: skip
    api.export(root, "hf", tmp_path / "hf")
    assert "| `melodies` | melody | 18 | 18 |" in (tmp_path / "hf/README.md").read_text()
    assert api.dataset(root, "melodies").as_arrow().read_all()["title"].to_pylist()[:1] == ["Tune, number 1"]
    page = api.write_report(root).path.read_text()
    assert ">Melodies</h2>" in page and "<pre>Tune, number 1: CDEF CDEF </pre>" in page
