"""Mixed corpora: exactly the shares that were asked for, in everything that reads what training reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_ray import api
from omni_ray.errors import OmniError
from omni_ray.export.parts import chosen_corpora
from omni_ray.materialize.combine import Combined, TrainingFileOptions, combine
from omni_ray.materialize.mixing import budgets_of
from omni_ray.materialize.options import Mixing
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.quality.clean_shards import clean_shards
from omni_ray.quality.preset import Settings
from omni_ray.training.plan import plan
from omni_ray.training.tokens import TokenCounter
from omni_ray.verify.run import verify
from tests.made_store import commit, image_row, text_row
from tests.materialize.test_pack import commit_documents, documents

MODEL = Path("checkpoints/thinker_tiny/tokenizer.model")
CORPUS = Path("data/text/production_corpus.txt")


def nobody(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    raise AssertionError("there is nothing to do")


def mixed(root: Path, weights: list[str], tokens: list[str] = [], *, how: Any = inline, **more: Any) -> list[Combined]:  # noqa: B006
    return combine(
        Store(root), "text", TrainingFileOptions(None, mixing=Mixing.parse(weights, tokens), **more), run=how
    )


def lines_of(root: Path, name: str) -> list[str]:
    return (root / f"data/text/{name}.txt").read_text("utf-8").splitlines()


def tokens_of(root: Path, lines: list[str]) -> list[int]:
    return TokenCounter((root / MODEL).read_bytes()).count(lines).tolist()


def samples_of(root: Path, name: str) -> int:
    return sum(manifest.samples for manifest in Store(root).corpus("text", name).committed().values())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Two corpora of text, in several shards."""
    commit_documents(tmp_path, [documents(9, 1), documents(7, 2), documents(8, 3)], "pages")
    commit_documents(tmp_path, [documents(6, 4), documents(6, 5)], "books")
    return tmp_path


def test_budgets_of_tokens_are_exact_to_the_line(project: Path) -> None:
    combine(Store(project), "text", TrainingFileOptions(None), run=inline)
    whole = lines_of(project, "pages")
    files = mixed(project, [], ["pages=1500"])
    taken = lines_of(project, "pages")
    counts = tokens_of(project, whole)
    assert taken == whole[: len(taken)]
    assert sum(counts[: len(taken)]) <= 1500 < sum(counts[: len(taken) + 1])
    assert lines_of(project, "production_corpus") == lines_of(project, "books") + taken
    assert "pages" in files[-1].note and f"{len(taken):,} of {len(whole):,} samples" in files[-1].note


def test_weights_are_shares_of_the_tokens(project: Path) -> None:
    mixed(project, ["pages=0.25", "books=0.75"])
    pages, books = (sum(tokens_of(project, lines_of(project, name))) for name in ("pages", "books"))
    combine(Store(project), "text", TrainingFileOptions(None), run=inline)
    most = [max(tokens_of(project, lines_of(project, name))) for name in ("pages", "books")]
    # One is taken whole, the other is short of its share by less than a line.
    assert books == sum(tokens_of(project, lines_of(project, "books")))
    assert books / 3 - most[0] < pages <= books / 3


def test_one_recipe_is_one_set_of_bytes(project: Path) -> None:
    mixed(project, ["books=0.5"], ["4000"])
    first = (project / CORPUS).read_bytes()
    assert (
        mixed(project, ["books=0.5"], ["4000"], how=nobody)[-1].note == mixed(project, ["books=.50"], ["4K"])[-1].note
    )
    assert (project / CORPUS).read_bytes() == first
    [note] = [file.note for file in combine(Store(project), "text", TrainingFileOptions(None), run=inline) if file.note]
    assert "all of every corpus" in note and (project / CORPUS).read_bytes() != first
    assert not Store(project).storage.child("mixture").files()


def test_everything_that_reads_what_training_reads_has_the_same_samples(project: Path) -> None:
    mixed(project, ["pages=0.2", "books=0.8"])
    lines = lines_of(project, "production_corpus")
    told = api.dataset(project, "text")
    assert pa.concat_tables(list(told.tables()))["text"].to_pylist() == lines
    assert sum(part.samples for corpus in chosen_corpora(Store(project)) for part in corpus.parts) == len(lines)
    summaries = api.status(project)
    for each, name in zip(summaries, ("books", "pages"), strict=True):
        assert each.samples == len(lines_of(project, name))
        assert each.samples + each.beyond_share == samples_of(project, name)
    left_out = sum(each.beyond_share for each in summaries)
    assert f"{left_out:,} samples are not in the mixture" in api.write_report(project).path.read_text("utf-8")
    report = verify(project)
    assert report.exit_code == 0, report
    planned = plan(project, configs=["thinker"], dry_run=True)
    assert str(sum(tokens_of(project, lines))) in json.dumps(planned.as_dict())


def test_a_cleaned_corpus_is_mixed_as_it_was_cleaned(project: Path) -> None:
    clean_shards(Store(project), "text", Settings("off", {"c4_line_words": 8}), run=inline)
    mixed(project, ["pages=0.2", "books=0.8"])
    lines = lines_of(project, "production_corpus")
    assert all(len(line.split()) >= 8 for line in lines)
    for each in api.status(project):
        assert each.samples == len(lines_of(project, each.name))
        assert each.samples + each.beyond_share + sum(each.removed.values()) == samples_of(project, each.name)
    assert verify(project).exit_code == 0


def test_what_came_since_is_not_read_as_if_it_were_mixed(project: Path) -> None:
    mixed(project, ["books=0.5"])
    commit(project, "text", "third", [[text_row(n) for n in range(9)]])
    for read in (lambda: api.dataset(project, "text"), lambda: chosen_corpora(Store(project))):
        with pytest.raises(OmniError, match="run the same `omni-ray combine` again"):
            read()
    assert {each.name: each.samples for each in api.status(project)}["third"] == 9
    mixed(project, ["books=0.5"])
    assert lines_of(project, "third")
    (project / "data/shards/mixture/text.json").write_text("{")
    with pytest.raises(OmniError, match="run the same `omni-ray combine` again"):
        api.dataset(project, "text")


def test_pictures_are_mixed_by_captions_and_splits_to_measure_on_are_not(tmp_path: Path) -> None:
    commit(tmp_path, "images", "ones", [[image_row(n) for n in range(4)], [image_row(n) for n in range(4, 8)]])
    commit(tmp_path, "images", "twos", [[image_row(n, 1) for n in range(10, 16)], [image_row(20)]], held_from=1)
    how = TrainingFileOptions(None, mixing=Mixing.parse(["ones=0.4", "twos=0.6"], []))
    combine(Store(tmp_path), "images", how, run=inline)
    of: dict[str, list[str]] = {"ones": [], "twos": []}
    for entry in json.loads((tmp_path / "data/images/production_annotations.json").read_text()):
        of[entry["image"].partition("/")[0]].append(entry["caption"])
    # Six captions are all that there is of the one, and four are the other's: a picture and a third.
    assert (len(of["ones"]), len(of["twos"])) == (4, 6)
    assert len(json.loads((tmp_path / "data/images/heldout_annotations.json").read_text())) == 3
    assert len(list((tmp_path / "data/images/ones").rglob("*.jpg"))) == 2
    assert verify(tmp_path).exit_code == 0


@given(
    st.lists(st.integers(1, 10**12), min_size=2, max_size=5),
    st.lists(st.integers(1, 20), min_size=1, max_size=5),
    st.one_of(st.none(), st.integers(1, 10**12)),
)
def test_shares_are_as_large_as_the_scarcest_allows(sizes: list[int], weights: list[int], total: int | None) -> None:
    there = {f"c{n}": size for n, size in enumerate(sizes)}
    given = {f"c{n}": Fraction(weight, 101) for n, weight in enumerate(weights[: len(sizes)])}
    found = budgets_of(there, Mixing(given, total=total))
    rest = [name for name in there if name not in given]
    assert all(0 <= found[name] <= there[name] for name in there)
    assert total is None or sum(found.values()) <= total
    whole = sum(found.values()) + len(found)
    scale = 1 if rest else sum(given.values())
    assert all(abs(found[name] - weight / scale * whole) <= len(found) + 1 for name, weight in given.items())
    full = [name for name in given if there[name] - found[name] < 1] or sum(map(there.get, rest)) - sum(
        map(found.get, rest)
    ) <= len(rest)
    assert full or total is not None


@pytest.mark.parametrize(
    ("weights", "tokens", "said"),
    [
        (["pages"], [], "write NAME=0.3"),
        (["pages=-1"], [], "write NAME=0.3"),
        (["pages=0.1", "pages=0.2"], [], "each corpus once"),
        (["papers=0.1"], [], "there are: books, pages"),
        (["pages=1"], [], "nothing is left for books"),
        (["pages=0", "books=0"], [], "above 0"),
        ([], ["pages=2X"], "write NAME=2B"),
        ([], ["papers=2B"], "no such corpus of text"),
    ],
)
def test_what_cannot_be_mixed_is_said_before_anything_runs(
    project: Path, monkeypatch: pytest.MonkeyPatch, weights: list[str], tokens: list[str], said: str
) -> None:
    monkeypatch.setattr(api.Cluster, "session", nobody)
    with pytest.raises(OmniError, match=said):
        api.combine(project, ["text"], weights=weights, target_tokens=tokens)
