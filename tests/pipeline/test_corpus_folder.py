"""The folder of a corpus's shards is a dataset as it stands, and projects that had more in it still work."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from omni_ray import api
from omni_ray.errors import OmniError
from omni_ray.pipeline.corpus_folder import CorpusFolder
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.quality.clean_shards import clean_shards
from omni_ray.quality.cleaned import Cleaning
from omni_ray.quality.preset import Settings
from omni_ray.storage import Storage
from omni_ray.verify.run import verify
from tests.made_store import commit, text_row

LINES = [f"The {n}th line says something that no other line has said before it." for n in range(8)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A corpus of three shards, with a quarantine: one has a line of another, one a line that the rules take."""
    root = tmp_path / "project"
    lines = [LINES[:3], [LINES[3], LINES[0]], [*LINES[4:], "x"]]
    shards = [
        [dict(text_row(9), id=f"{n}-{i}#0", text=text) for i, text in enumerate(of)] for n, of in enumerate(lines)
    ]
    commit(root, "text", "books", shards, quarantine=[{"id": "bad", "where": "a.txt", "reason": "bad_encoding"}])
    return root


def clean(root: Path) -> bool:
    settings = Settings("off", {"gopher_min_words": 3}, ("document",))
    return clean_shards(Store(root), "text", settings, run=inline)


def by_duckdb(folder: Path) -> list[str]:
    return [row[0] for row in duckdb.sql(f"select text from '{folder}/**/*.parquet'").fetchall()]


def by_polars(folder: Path) -> list[str]:
    return list(polars.read_parquet(folder)["text"])


READERS: dict[str, Callable[[Path], list[str]]] = {
    "parquet": lambda folder: pq.read_table(folder)["text"].to_pylist(),
    "dataset": lambda folder: ds.dataset(folder).to_table()["text"].to_pylist(),
    "pandas": lambda folder: list(pd.read_parquet(folder)["text"]),
    "duckdb": by_duckdb,
    "polars": by_polars,
}


@pytest.mark.parametrize("reader", READERS)
def test_a_folder_of_shards_reads_as_its_samples(root: Path, reader: str) -> None:
    assert sorted(READERS[reader](root / "data/shards/text/books")) == sorted([*LINES, LINES[0], "x"])
    assert clean(root)
    assert sorted(READERS[reader](root / "data/shards/cleaned/text/books")) == LINES


def test_without_links_a_cleaned_shard_is_copied(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*of: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_links)
    assert clean(root)
    assert sorted(pq.read_table(root / "data/shards/cleaned/text/books")["text"].to_pylist()) == LINES


def as_earlier_versions_wrote(root: Path) -> None:
    """Accounts among the shards; the manifests of cleaned shards without duplicates named the rules' own files."""
    accounts = root / "data/shards/accounts"
    for path in [path for path in accounts.rglob("*") if path.is_file()]:
        path.rename(root / "data/shards" / path.relative_to(accounts))
    shutil.rmtree(accounts)


def tree(root: Path) -> dict[str, str]:
    files = [path for path in (root / "data/shards").rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def said(root: Path) -> list[Any]:
    return [[each.as_dict() for each in api.status(root)], list(api.quarantine(root)), list(api.removed(root))]


def test_a_project_of_an_earlier_version_says_the_same_and_is_moved(root: Path) -> None:
    clean(root)
    before, files = said(root), tree(root)
    assert len(before[1]) == 1 and len(before[2]) == 2
    as_earlier_versions_wrote(root)
    assert said(root) == before
    corpus = Store(root).corpus("text", "books")
    assert len(corpus.settle([f"fingerprint {n}" for n in range(3)])) == 3
    cleaning = Cleaning(Store(root), "text")
    assert cleaning.settings is not None
    cleaning.save(cleaning.settings)
    assert clean(root)
    assert tree(root) == files
    assert said(root) == before


def test_reset_takes_what_an_earlier_version_wrote(root: Path) -> None:
    as_earlier_versions_wrote(root)
    Store(root).corpus("text", "books").reset()
    assert tree(root) == {} and not (root / "data/shards/text/books").exists()


def test_a_move_that_is_killed_anywhere_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["corpus.json", "part-00000.json", "part-00000.parquet", "part-00000.quarantine.parquet", "notes.md"]
    write, delete = Storage.write, Storage.delete
    for point in range(7):
        shards = Storage(tmp_path / str(point))
        for name in names:
            shards.child("text").child("books").write(name, name.encode())
        left = [point]

        def step(act: Callable[..., None], left: list[int] = left) -> Callable[..., None]:
            def counted(self: Storage, *of: Any) -> None:
                if not left[0]:
                    raise KeyboardInterrupt
                left[0] -= 1
                act(self, *of)

            return counted

        with monkeypatch.context() as kill:
            kill.setattr(Storage, "write", step(write))
            kill.setattr(Storage, "delete", step(delete))
            folder = CorpusFolder(shards, ("text", "books"))
            try:
                folder.part_accounts()
            except KeyboardInterrupt:
                assert {name: folder.read(name) for name in folder.files()} == {name: name.encode() for name in names}
        folder.part_accounts()
        assert {name: folder.read(name) for name in folder.files()} == {name: name.encode() for name in names}
        assert sorted(Storage(folder.uri).files()) == ["notes.md", "part-00000.parquet"]


def test_what_is_left_of_a_corpus_removed_by_hand_is_refused_by_name(root: Path) -> None:
    shutil.rmtree(root / "data/shards/text/books")
    with pytest.raises(OmniError, match=r"or remove \S+/accounts/text/books if the corpus is not wanted any more"):
        api.combine(root, ["text"])


def test_shards_without_their_state_are_never_passed_over(root: Path) -> None:
    commit(root, "text", "other", [[text_row(1)]])
    (root / "data/shards/accounts/text/books/corpus.json").unlink()
    for read in (api.combine, api.status, lambda place: api.dataset(place, "text")):
        with pytest.raises(OmniError, match=r"text/books: shards without their corpus\.json"):
            read(root)
    (root / "data/text").mkdir()
    (root / "data/text/production_corpus.txt").write_text("Line 1 of the corpus.\n")
    assert [(each.file, each.code) for each in verify(root).findings] == [("data/shards/text/books", "bad_manifest")]
