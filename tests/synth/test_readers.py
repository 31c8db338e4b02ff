"""The readers of the real corpora over the synthetic ones: every record becomes what was foretold."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from omni_ray.corpora.base import Rejected, SourceOptions
from omni_ray.corpora.locate import locate
from omni_ray.corpora.registry import select
from omni_ray.modalities.registry import modality
from omni_ray.pipeline.stages import batches
from omni_ray.synth.native_task import ExpectedCounts

_FOLDERS = [
    "librispeech", "ljspeech", "common_voice", "coco", "mjsynth", "textocr", "synthtext", "wikipedia", "books",
    "text_parquet", "text_jsonl",
]  # fmt: skip


@pytest.mark.parametrize("folder", _FOLDERS)
def test_every_record_becomes_what_was_foretold(
    native: tuple[Path, dict[str, ExpectedCounts]], folder: str, tmp_path: Path
) -> None:
    root, expected = native[0], native[1][folder]
    [corpus] = select(expected.modality, expected.corpus)
    kind = modality(corpus.modality)
    found = locate(corpus, tmp_path, str(root / expected.source), SourceOptions(), cache=tmp_path, download=False)
    kept, reasons = 0, Counter[str]()

    def count(rejected: list[Rejected]) -> None:
        for each in rejected:
            reasons[each.reason] += each.records

    for draft in found.drafts:
        payload = json.loads(json.dumps(draft.payload))
        for batch in batches(found.reader.read(found.tree, payload), kind.raw_schema, 64):
            rows = batch.rows
            count(batch.rejected)
            if rows is not None and rows.num_rows:
                result = kind.transform(rows, corpus.name, kind.params_type())
                kept += sum(kind.records_per_row(result.kept))
                count(result.rejected)
    assert (dict(reasons), kept) == (expected.reasons, expected.kept)
