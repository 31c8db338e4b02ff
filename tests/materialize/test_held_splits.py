"""Splits to measure on that are held out: whole shards, in the ``heldout_*`` files and in no other."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from omni_ray.pipeline.store import Store
from omni_ray.trainers.files import all_modalities
from omni_ray.training.data import committed_shards
from omni_ray.verify.run import verify
from tests.made_store import commit
from tests.materialize.test_hold_out import NAMES, grouped_rows, in_shards, nobody, rows_of, run, sides


@pytest.mark.parametrize("modality", all_modalities())
@pytest.mark.parametrize("seed", [42, None])
def test_shards_to_measure_on_are_held_out_whole(tmp_path: Path, modality: str, seed: int | None) -> None:
    shards = in_shards(grouped_rows(modality))
    commit(tmp_path, modality, "made", shards)
    run(tmp_path, modality, None, seed)
    whole = {name: rows_of(tmp_path / f"data/{modality}/production_{name}") for name in NAMES[modality]}
    commit(tmp_path, modality, "made", shards, held_from=4)
    made = run(tmp_path, modality, None, seed)
    for name, rows in whole.items():
        kept, held = sides(tmp_path, modality, name)
        assert Counter(kept) + Counter(held) == Counter(rows)
        assert held and kept == [row for row in rows if row in set(kept)]
    assert len(committed_shards(Store(tmp_path))(modality)) == 4
    if modality in ("text", "images"):  # the made clips and words are too poor for the trainers
        assert verify(tmp_path, modalities=[modality]).ok
    assert run(tmp_path, modality, None, seed, how=nobody) == made
    # A share of the rest goes there, too.
    run(tmp_path, modality, 0.3, seed)
    assert len(sides(tmp_path, modality)[1]) > len(held)
    # What is trained on again leaves nothing behind.
    commit(tmp_path, modality, "made", shards)
    run(tmp_path, modality, None, seed)
    assert not list((tmp_path / f"data/{modality}").glob("heldout_*"))
