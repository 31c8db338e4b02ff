"""Small files share units: as many records, in the same order, in far fewer shards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omni_ray.corpora import together as module
from omni_ray.corpora.base import SourceOptions, UnitDraft
from omni_ray.corpora.text_files import TextFiles
from omni_ray.corpora.together import Together, together
from omni_ray.pipeline.units import number_units
from omni_ray.sources.tree import FolderTree, Tree


@pytest.fixture
def tree(tmp_path: Path) -> FolderTree:
    for number in range(300):
        (tmp_path / f"{number:03d}.txt").write_text(f"Line one of {number}.\nLine two of {number}.\n")
    (tmp_path / "table.csv").write_text("text\n" + "".join(f"Row {n}\n" for n in range(5)))
    return FolderTree(tmp_path)


def rows(corpus: Any, tree: FolderTree, drafts: list[Any]) -> list[Any]:
    found: list[Any] = []
    for draft in drafts:
        for item in corpus.read(tree, draft.payload):
            found += item.select(["id", "text"]).to_pylist() if hasattr(item, "select") else [item]
    return found


def test_the_records_are_the_same_and_the_units_few(tree: FolderTree, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = list(TextFiles().units(tree, SourceOptions()))
    assert len(alone) == 301
    wanted = rows(TextFiles(), tree, alone)
    for limit, count in ((4 << 20, 1), (2_000, 7)):
        monkeypatch.setattr(module, "_UNIT_BYTES", limit)
        drafts = list(Together(TextFiles()).units(tree, SourceOptions()))
        assert len(drafts) == pytest.approx(count, abs=1)
        assert rows(Together(TextFiles()), tree, drafts) == wanted
        assert {name for draft in drafts for name in draft.inputs} == {name for each in alone for name in each.inputs}


def test_a_changed_file_makes_its_unit_stale_and_no_other(tree: FolderTree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_UNIT_BYTES", 2_000)

    def fingerprints() -> list[str]:
        drafts = together(TextFiles().units(tree, SourceOptions()), tree, SourceOptions())
        return [unit.fingerprint for unit in number_units(drafts, tree, {})]

    before = fingerprints()
    (tree.root / "150.txt").write_text("Line one of it.\nAnother line of it.\n")
    after = fingerprints()
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


def test_large_files_stay_units_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_UNIT_BYTES", 50)
    for name, lines in (("a", 1), ("b", 30), ("c", 1), ("d", 1)):
        (tmp_path / f"{name}.txt").write_text("A short line.\n" * lines)
    tree = FolderTree(tmp_path)
    drafts = list(together(TextFiles().units(tree, SourceOptions()), tree, SourceOptions()))
    assert [draft.inputs for draft in drafts] == [("a.txt",), ("b.txt",), ("c.txt", "d.txt")]


def test_slices_of_one_file_stay_units_of_their_own(tmp_path: Path) -> None:
    class Listed(TextFiles):
        def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
            for number in range(3):  # of much that a small file names
                yield UnitDraft({"number": number}, ("list.txt",), 20_000, 20_000)

    (tmp_path / "list.txt").write_text("somewhere/else.bin\n")
    tree = FolderTree(tmp_path)
    assert [draft.payload for draft in together(Listed().units(tree, SourceOptions()), tree, SourceOptions())] == [
        {"number": number} for number in range(3)
    ]
