"""Nothing is stale by silence: what decides what is cleaned is part of the digest that is compared."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from omni_ray.errors import OmniError
from omni_ray.materialize.combine import combine
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.quality import clean_text, duplicate_kinds
from omni_ray.quality.audio_rules import MeasuredClips
from omni_ray.quality.clean import clean_table, rules_of
from omni_ray.quality.clean_shards import clean_shards
from omni_ray.quality.cleaned import Cleaning
from omni_ray.quality.documents import Documents
from omni_ray.quality.image_rules import Pictures
from omni_ray.quality.preset import Settings
from omni_ray.quality.resolved import VERSION, resolved
from omni_ray.quality.rules import Rule
from omni_ray.trainers.files import all_modalities
from tests.made_store import ROWS, commit, text_row
from tests.quality.conftest import PROSE

GOLDEN = Path(__file__).with_name("golden_rules.json")
EVERY_RULE = [
    (modality, rule) for modality in all_modalities() for rule in rules_of(modality) if isinstance(rule, Rule)
]
BATCHES = {"text": Documents.of_table, "audio": MeasuredClips, "images": Pictures, "ocr": Pictures}
TEXTS = [
    PROSE,
    "Short line.",
    "Read more... # # #\nRead more...\nRead more...",
    "1234 5678 9012 {curly} lorem ipsum javascript",
    "The THE the a of to and that be with. " * 30,
    "\u5317\u4eac\u662f\u4e2d\u56fd\u7684\u9996\u90fd\u3002" * 20,
]


@pytest.mark.parametrize(("modality", "rule"), EVERY_RULE, ids=[f"{m}-{r.name}" for m, r in EVERY_RULE])
def test_a_changed_limit_makes_what_was_cleaned_stale(
    modality: str, rule: Rule, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings("default", {rule.name: True})
    before = resolved(modality, settings)
    others = [each for each in rules_of(modality) if each.name != rule.name]
    limits = {side: value + 1 for side in ("low", "high") if (value := getattr(rule, side)) is not None}
    for side, value in limits.items():
        changed = (*others, replace(rule, **{side: value}))
        monkeypatch.setattr("omni_ray.quality.resolved.rules_of", lambda _, changed=changed: changed)
        assert resolved(modality, settings) != before
    assert limits


def test_numbers_of_the_search_for_duplicates_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings("default", {}, ("line",))
    before = resolved("text", settings)
    monkeypatch.setattr(duplicate_kinds, "MIN_LINE_CHARS", 5)
    assert resolved("text", settings) != before


def test_a_project_that_was_cleaned_under_another_limit_is_cleaned_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [dict(text_row(n), id=f"page {n}#0", text=f"{PROSE} Said by {n}.") for n in range(4)]
    commit(tmp_path, "text", "web", [rows])
    settings = Settings("default", {"gopher_max_words": True}, ())
    assert clean_shards(Store(tmp_path), "text", settings, run=inline)
    assert not clean_shards(Store(tmp_path), "text", settings, run=inline)
    stricter = tuple(
        replace(rule, high=10.0) if isinstance(rule, Rule) and rule.name == "gopher_max_words" else rule
        for rule in rules_of("text")
    )
    monkeypatch.setattr(clean_text, "CLEANER", replace(clean_text.CLEANER, rules=stricter))
    with pytest.raises(OmniError, match="run `omni-ray clean text`"):
        combine(Store(tmp_path), "text", run=inline)
    assert clean_shards(Store(tmp_path), "text", settings, run=inline)
    assert Cleaning(Store(tmp_path), "text").corpora()[0].summary().samples == 0


def measured(modality: str) -> dict[str, str]:
    """Of each rule a digest of what it measures on made rows, and of each change of what it makes of them."""
    rows = [ROWS[modality](n) for n in range(6)]
    if modality == "text":
        rows = [
            dict(text_row(n), id=f"page {n}#{k}", text=line)
            for n, text in enumerate(TEXTS)
            for k, line in enumerate(text.split("\n"))
        ]
    schema = modality_of(modality).schema
    table = pa.Table.from_pylist([{"corpus": "made", **row} for row in rows], schema=schema)
    found = {}
    for rule in rules_of(modality):
        if isinstance(rule, Rule):
            values = rule.measure(BATCHES[modality](table))
            said = [f"{value:.3g}" for value in values]
        else:
            cleaned = clean_table(table, modality, "off", {rule.name: True})
            named = [name for name in cleaned.kept.column_names if name not in ("audio", "image")]
            said = [repr(value) for value in cleaned.kept.select(named).to_pylist()]
        found[rule.name] = hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]
    return found


def test_rules_measure_what_they_did_under_this_version() -> None:
    """Where this fails and the change is meant: raise VERSION in quality/resolved.py, and run this file as a script."""
    golden = json.loads(GOLDEN.read_text())
    assert golden == {"version": VERSION, **{modality: measured(modality) for modality in all_modalities()}}


if __name__ == "__main__":
    value = {"version": VERSION, **{modality: measured(modality) for modality in all_modalities()}}
    GOLDEN.write_text(json.dumps(value, indent=1) + "\n")
