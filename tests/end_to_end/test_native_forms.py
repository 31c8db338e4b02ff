"""Each form that people bring goes from files to training files, and these to the trainers, without a finding."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from omni_ray import api
from omni_ray.corpora.base import SourceOptions
from omni_ray.corpora.registry import all_corpora
from omni_ray.verify.run import verify
from tests.end_to_end.native_forms import FORMS, source_of

FILES = {"text": "corpus.txt", "audio": "asr.csv", "images": "annotations.json", "ocr": "ocr.csv"}


def texts(root: Path, modality: str) -> list[str]:
    """Those of the training file."""
    content = (root / "data" / modality / f"production_{FILES[modality]}").read_text("utf-8")
    if modality == "text":
        return content.splitlines()
    if modality == "images":
        return [entry["caption"] for entry in json.loads(content)]
    return [row["text"] for row in csv.DictReader(content.splitlines())]


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize("name", FORMS)
def test_from_files_to_training_files(name: str, tmp_path: Path) -> None:
    each, root = FORMS[name], tmp_path / "project"
    source = source_of(each, tmp_path)
    report = api.prepare(
        root, each.modality, dataset=each.corpus, source=source, options=SourceOptions(**each.options), combine=True
    )
    assert sorted(texts(root, each.modality)) == sorted(each.texts)
    [summary] = report.summaries
    assert (report.exit_code, dict(summary.reasons)) == (0, {})
    assert not [group.sentence for group in summary.files.unread if group.fault]
    found = verify(root, modalities=[each.modality])
    assert (found.exit_code, found.findings) == (0, [])


def test_the_readme_names_every_corpus() -> None:
    ours = [corpus for corpus in all_corpora() if type(corpus).__module__.startswith("omni_ray.corpora.")]
    known = [corpus for corpus in ours if "synthetic" not in corpus.name]
    readme = Path(__file__).parents[2].joinpath("README.md").read_text("utf-8")
    assert [corpus.name for corpus in known if f"`{corpus.name}`" not in readme] == []
    assert {each.corpus for each in FORMS.values()} <= {corpus.name for corpus in known}
