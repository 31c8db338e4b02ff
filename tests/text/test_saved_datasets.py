"""Folders that the datasets library saves."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from omni_ray.errors import SourceError
from tests.text.test_tables import read


def save(folder: Path, texts: list[str], parts: int) -> None:
    """As ``save_to_disk`` does."""
    folder.mkdir(parents=True)
    files = [f"data-{part:05}-of-{parts:05}.arrow" for part in range(parts)]
    for part, file in enumerate(files):
        put(folder / file, texts[part::parts])
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": file} for file in files]}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": {"text": {"dtype": "string"}}}))


def put(path: Path, texts: list[str]) -> None:
    table = pa.table({"text": texts})
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


def test_the_state_says_which_files_are_the_dataset(tmp_path: Path) -> None:
    save(tmp_path / "train", ["a", "b", "c"], 2)
    save(tmp_path / "test", ["d"], 1)
    (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    put(tmp_path / "train" / "data-00002-of-00003.arrow", ["of an older one"])
    put(tmp_path / "train" / "cache-0123456789abcdef.arrow", ["a"])
    assert [row["text"] for row in read(tmp_path)[0]] == ["d", "a", "c", "b"]
    assert [row["text"] for row in read(tmp_path, splits=("train",))[0]] == ["a", "c", "b"]


def test_a_part_that_is_missing_is_said(tmp_path: Path) -> None:
    save(tmp_path / "set", ["a", "b"], 2)
    (tmp_path / "set" / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(SourceError, match=r"set/data-00001-of-00002\.arrow: not there, and set/state\.json names it"):
        read(tmp_path)
