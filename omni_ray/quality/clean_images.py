"""Cleaning pictures: each is judged on its own, and its captions with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from omni_ray.quality.account import Account
from omni_ray.quality.clean import Cleaner, judge
from omni_ray.quality.image_rules import IMAGE_RULES, Pictures
from omni_ray.quality.rules import Change, Mask, Rule


def _clean(rows: pa.Table, on: Mapping[str, Rule | Change], settings: Mapping[str, Any], account: Account) -> pa.Table:
    """A picture left without captions goes with them."""
    rules = [step for step in on.values() if isinstance(step, Rule)]
    pictures = [rule for rule in rules if rule.unit == "image"]
    kept = rows.filter(pa.array(judge(rows, "images", pictures, Pictures(rows), account))).combine_chunks()
    captions = [rule for rule in rules if rule.unit == "caption"]
    return _clean_captions(kept, captions, account) if captions and kept.num_rows else kept


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


CLEANER = Cleaner(IMAGE_RULES, _clean, has_prose=True)
