"""Cleaning pictures: each is judged on its own, and its captions with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.quality.account import Account, Cleaned
from omni_ray.quality.cleaner import Cleaner, Rules, judge, switched
from omni_ray.quality.image_rules import IMAGE_RULES, Pictures
from omni_ray.quality.rules import Mask, Rule


def clean_images(rows: pa.Table, rules: Rules, preset: str, overrides: Mapping[str, Any], where: str) -> Cleaned:
    """Clean image shard rows; a sample is a caption. A picture left without captions goes with them."""
    on = switched(rules, preset, overrides, "images")
    account = Account(where)
    counts = pc.fill_null(pc.list_value_length(rows["captions"]), 0).to_pylist()
    pictures = [step for step in on.values() if isinstance(step, Rule) and step.unit == "image"]
    stays = judge(rows, pictures, Pictures(rows), account, counts)
    kept = rows.filter(pa.array(stays)).combine_chunks()
    captions = [step for step in on.values() if isinstance(step, Rule) and step.unit == "caption"]
    if captions and kept.num_rows:
        kept = _clean_captions(kept, captions, account)
    left = sum(pc.fill_null(pc.list_value_length(kept["captions"]), 0).to_pylist())
    return account.close(kept, sum(counts), left)


def _clean_captions(rows: pa.Table, rules: list[Rule], account: Account) -> pa.Table:
    batch = Pictures(rows)
    texts, owner = batch.captions
    stays = np.ones(len(texts), bool)
    for rule in rules:
        values = rule.measure(batch)
        for number in np.flatnonzero(rule.removes(values) & stays):
            name = rows["id"][int(owner[number])].as_py()
            account.remove(name, rule.reason, f"{rule.detail(values[number])}: {texts[int(number)].as_py()[:80]}")
            stays[number] = False
    return rows if stays.all() else with_captions(rows, stays)


def with_captions(rows: pa.Table, captions: Mask, pictures: Mask | None = None) -> pa.Table:
    """Image rows with only some of their captions, and without the pictures that have none left.

    Args:
        rows: image shard rows.
        captions: which captions stay, of all of them one after the other.
        pictures: which rows may stay; all by default.
    """
    texts, owner = Pictures(rows).captions
    left = np.bincount(owner[captions], minlength=rows.num_rows)
    offsets = pa.array(np.concatenate([[0], np.cumsum(left)]).astype(np.int32))
    place = rows.column_names.index("captions")
    lists = pa.ListArray.from_arrays(offsets, texts.filter(pa.array(captions))).cast(rows.schema.field(place).type)
    stays = left > 0 if pictures is None else (left > 0) & pictures
    return rows.set_column(place, rows.schema.field(place), lists).filter(pa.array(stays))


CLEANER = Cleaner(IMAGE_RULES, clean_images, has_prose=True)
