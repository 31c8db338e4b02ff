"""Synthetic samples as corpora of the pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from omni_ray.corpora.base import SourceOptions
from omni_ray.corpora.locate import locate
from omni_ray.corpora.registry import select
from omni_ray.errors import OmniError, SourceError
from omni_ray.modalities.registry import modality
from omni_ray.pipeline.stages import batches
from omni_ray.sources import open_tree
from omni_ray.synth.book import make_text
from omni_ray.synth.clips import make_clip

MODALITIES = ("text", "audio", "images", "ocr")


def _source(folder: Path, value: Any) -> Path:
    (folder / "synthetic.json").write_text(value if isinstance(value, str) else json.dumps(value))
    return folder


def _raw(kind: str, source: Path, scale: float = 1.0) -> list[dict[str, Any]]:
    [corpus] = select(kind, "synthetic")
    found = locate(corpus, source, str(source), SourceOptions(unit_scale=scale), cache=source, download=False)
    schema = modality(kind).raw_schema
    rows = []
    for draft in found.drafts:
        items = corpus.read(found.tree, json.loads(json.dumps(draft.payload)))
        made = list(batches(items, schema, 64))
        assert not any(batch.rejected for batch in made)
        tables = [batch.rows for batch in made if batch.rows is not None]
        rows += [row for table in tables for row in table.to_pylist()]
        assert draft.records == draft.samples == sum(table.num_rows for table in tables)
    return rows


@pytest.mark.parametrize("kind", MODALITIES)
def test_as_many_samples_as_asked_for_whatever_the_units(kind: str, tmp_path: Path) -> None:
    source = _source(tmp_path, {"seed": 5, "samples": 9})
    rows = _raw(kind, source)
    assert len(rows) == len({row["id"] for row in rows}) == 9
    assert _raw(kind, source, scale=4 / select(kind, "synthetic")[0].samples_per_unit) == rows  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", MODALITIES)
def test_every_sample_is_kept(kind: str, tmp_path: Path) -> None:
    import pyarrow as pa

    of_kind = modality(kind)
    rows = _raw(kind, _source(tmp_path, {"seed": 5, "samples": 6}))
    raw = pa.Table.from_pylist([{**row, "records": row["records"] or 1} for row in rows], of_kind.raw_schema)
    result = of_kind.transform(raw, "synthetic", of_kind.params_type())
    assert not result.rejected
    assert sum(of_kind.samples_per_row(result.kept)) == 6
    assert sum(of_kind.records_per_row(result.kept)) == 6


def test_the_samples_are_those_of_the_generators(tmp_path: Path) -> None:
    source = _source(tmp_path, {"seed": 5, "samples": 3})
    assert [row["text"] for row in _raw("text", source)] == make_text(5, 0, 3)
    assert [row["text"] for row in _raw("audio", source)] == [make_clip(5, i).text for i in range(3)]


@pytest.mark.parametrize(
    "recipe",
    ["", "[]", "{", "7", '{"seed": 1}', '{"seed": 1, "samples": 0}', '{"seed": 1, "samples": true}',
     '{"seed": "a", "samples": 5}', '{"seed": 1, "samples": 1e99}', '{"seed": 1, "samples": 10000000000}',
     '{"seed": 1.5, "samples": 5}'],
)  # fmt: skip
def test_a_wrong_recipe_is_said_in_one_line(recipe: str, tmp_path: Path) -> None:
    [corpus] = select("text", "synthetic")
    with pytest.raises(SourceError, match=r"synthetic\.json"):
        list(corpus.units(open_tree(_source(tmp_path, recipe)), SourceOptions()))


def test_without_a_recipe_the_user_is_told_how_to_write_one(tmp_path: Path) -> None:
    [corpus] = select("audio", "synthetic")
    with pytest.raises(OmniError, match='"samples": 10000'):
        locate(corpus, tmp_path, None, SourceOptions(), cache=tmp_path, download=False)


def test_synthetic_data_never_slips_into_all() -> None:
    for kind in MODALITIES:
        assert "synthetic" not in {corpus.name for corpus in select(kind, "all")}
