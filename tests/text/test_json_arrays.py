"""Arrays of JSON: many items at a time where they are sound, and the same items as one by one."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from omni_ray.corpora.base import Rejected, SourceOptions
from omni_ray.sources import json_ahead, json_shapes, json_values
from omni_ray.sources.json_values import BrokenValue, Values
from omni_ray.sources.line_blocks import RANGE_BYTES
from omni_ray.sources.tables import read_table_unit, table_units
from omni_ray.sources.tree import FolderTree

ODD = [
    '{"id": 7, "text": NaN}',
    '{"id": 7, "text": "half \\ud83d"}',
    '{"id": 18446744073709551616, "text": "great"}',
    '{"id": 7, "text": "latin \udce9"}',
    '{"id": 7, "text": "open}',
    '{"id": 7, "text": 1e999}',
    '["id", 7]',
    '{"text": "another key first", "id": 7}',
    "7",
]


def item(r: Random, n: int) -> str:
    text = "".join(r.choice(['"', "}, {", '}, {"id": ', "]", "é", "\\", "word "]) for _ in range(r.randint(0, 40)))
    inside = [{"id": k, "text": text} for k in range(r.randint(0, 3))]
    return json.dumps({"id": n, "text": text, "inside": inside}, ensure_ascii=r.random() < 0.5)


def chunked(data: bytes, r: Random) -> Iterator[bytes]:
    while data:
        cut = r.choice([1, 100, 5_000, 200_000])
        yield data[:cut]
        data = data[cut:]


def is_exact(data: bytes, values: Sequence[Any]) -> bool:
    return not any(isinstance(value, dict) and isinstance(value.get("id"), float) for value in values)


def shown(values: Iterator[Any]) -> list[str]:
    return [
        f"{value.reason}: {value.detail}" if isinstance(value, BrokenValue) else json.dumps(value) for value in values
    ]


@pytest.mark.parametrize("seed", range(12))
def test_items_are_the_same_many_at_a_time_and_one_by_one(seed: int) -> None:
    r = Random(seed)
    odd = r.choice([0.0, 0.002, 0.2])
    items = [r.choice(ODD) if r.random() < odd else item(r, n) for n in range(1500)]
    seam = r.choice([", ", ",", ",\n  "])
    data = f"[{seam.join(items)}]".encode("utf-8", "surrogateescape")
    if seed % 3 == 0:
        data = data[: r.randrange(len(data))]
    if seed % 4 == 0:
        data += b'\n[{"id": 1, "text": "of another array"}, {"id": 2, "text": ""}]'
    fast = shown(Values(chunked(data, r), is_exact).items())
    assert fast == shown(Values(chunked(data, r)).items())


def test_an_array_is_not_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of ten thousand items some ten are read alone: the first two, and one that is odd with those near it."""
    rows = [{"id": n, "text": "word " * 20} for n in range(10_000)]
    texts = list(map(json.dumps, rows))
    texts[5000] = '{"id": 5000, "text": NaN}'
    data = f"[{', '.join(texts)}]".encode()
    alone: list[Any] = []
    one = Values._value

    def counted(self: Values) -> Any:
        alone.append(0)
        return one(self)

    monkeypatch.setattr(json_values.Values, "_value", counted)
    found = list(Values(iter([data]), is_exact).items())
    assert [row["id"] for row in found] == list(range(10_000))
    assert len(alone) < 1200


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
def test_numbers_beyond_64_bits_are_right_where_they_are_read(tmp_path: Path, name: str) -> None:
    rows = [{"id": 2**64 + n, "text": f"text {n}", "score": 0.5} for n in range(300)]
    whole = json.dumps(rows) if name == "rows.json" else "\n".join(map(json.dumps, rows))
    (tmp_path / name).write_text(whole)
    tree = FolderTree(tmp_path)
    roles = {"text": ("text",), "id": ("id",), "title": ("score",)}
    ids: list[str] = []
    for draft in table_units(tree, roles, SourceOptions()):
        for part in read_table_unit(tree, draft.payload):
            assert not isinstance(part, Rejected)
            ids += part["id"].to_pylist()
            assert set(part["title"].to_pylist()) == {"0.5"}
    assert ids == [str(2**64 + n) for n in range(300)]


def table_rows(folder: Path, scale: float, **options: Any) -> tuple[list[Any], int]:
    """Rows and faults by id; and the number of units."""
    tree = FolderTree(folder)
    tree.points = folder.parent / "cache"
    units = list(table_units(tree, {"text": ("text",), "id": ("id",)}, SourceOptions(unit_scale=scale, **options)))
    found: list[Any] = []
    for unit in units:
        for each in read_table_unit(tree, json.loads(json.dumps(unit.payload))):
            found += [repr(each)] if isinstance(each, Rejected) else map(repr, each.to_pylist())
    return sorted(found), len(units)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".json", ".json.gz"])
@pytest.mark.parametrize("seed", range(8))
def test_ranges_of_an_array_have_the_rows_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, ending: str
) -> None:
    monkeypatch.setattr(json_ahead, "_STRETCH_BYTES", 4000)
    r = Random(seed)
    odd = (0.0, 0.002, 0.02, 0.2)[seed % 4]
    items = [r.choice(ODD) if r.random() < odd else item(r, n) for n in range(1500)]
    seam = r.choice([", ", ",", ",\n  "])
    text = f"[{seam.join(items)}]"
    if seed % 3 == 1:
        text = '{"version": [1, 2], "data": ' + text + ', "more": [{"text": "none"}]}'
    data = (text * (2 if seed == 3 else 1)).encode("utf-8", "surrogateescape")
    data = data[: len(data) * 9 // 10] if seed == 6 else b"\xef\xbb\xbf" * (seed == 5) + data
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"a{ending}").write_bytes(gzip.compress(data) if ending.endswith(".gz") else data)
    whole, units = table_rows(tmp_path / "in", 1.0)
    assert units == 1 + (seed == 4) and len(whole) >= 1000  # two arrays are told apart where nothing is odd
    for step in (600, 20_000):
        parts, units = table_rows(tmp_path / "in", step / RANGE_BYTES)
        assert parts == whole
        assert units > 10 or step > 600 or odd >= 0.02  # so much damage may make it another encoding


def pretty(rows: list[Any]) -> str:
    return "\n".join(json.dumps(row, indent=1, ensure_ascii=False) for row in rows)


SHAPES = {
    "bare text": lambda rows: json.dumps([row["text"] for row in rows], indent=1),
    "objects behind each other": pretty,
    "glued": lambda rows: pretty(rows).replace("}\n{", "}{"),
    "an array, then objects": lambda rows: json.dumps(rows[:300]) + pretty(rows[300:]),
    "deep": lambda rows: json.dumps({"v": {"n": [1]}, "data": {"of": {"x": 1}, "rows": rows}, "more": {"rows": [1]}}),
    "an object of objects": lambda rows: json.dumps({f"key {n}": row for n, row in enumerate(rows)}),
    "one first key or another": lambda rows: json.dumps(
        [dict(reversed(row.items())) if row["id"] % 2 else row for row in rows]
    ),
}


@pytest.mark.parametrize("ending", [".json", ".json.gz"])
@pytest.mark.parametrize("shape", SHAPES)
def test_other_shapes_are_cut_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str, ending: str) -> None:
    monkeypatch.setattr(json_ahead, "_STRETCH_BYTES", 4000)
    monkeypatch.setattr(json_values, "_LOOK_BYTES", 1000)
    monkeypatch.setattr(json_values, "_PIECE_BYTES", 1000)
    monkeypatch.setattr(json_values, "CHUNK_BYTES", 1000)
    rows = [{"id": n, "text": f'{n} "é\\n", [{{'} for n in range(1500)]
    data = SHAPES[shape](rows).encode()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / f"a{ending}").write_bytes(gzip.compress(data) if ending.endswith(".gz") else data)
    whole, units = table_rows(tmp_path / "in", 1.0)
    assert units == 1 and len(whole) == 1500 and all(f"'text': {row['text']!r}" in "".join(whole) for row in rows[:20])
    for step in (600, 10_000):
        parts, units = table_rows(tmp_path / "in", step / RANGE_BYTES)
        assert parts == whole and (units >= 4 or (step > 600 and ending == ".json.gz"))


@pytest.mark.parametrize("seed", range(6))
def test_odd_values_among_bare_ones_cost_what_they_cost_in_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(json_ahead, "_STRETCH_BYTES", 2000)
    monkeypatch.setattr(json_values, "_LOOK_BYTES", 500)
    monkeypatch.setattr(json_values, "_PIECE_BYTES", 500)
    r = Random(seed)
    items = [r.choice([*ODD, "]", "}"]) if r.random() < 0.01 else item(r, n) for n in range(800)]
    text = (
        "\n".join(items)
        if seed % 2
        else "[" + ",\n".join(f'"{n} \\" words, "' if r.random() < 0.99 else '"bad \n",' for n in range(3000)) + "]"
    )
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    whole, _ = table_rows(tmp_path / "in", 1.0)
    parts, units = table_rows(tmp_path / "in", 2000 / RANGE_BYTES)
    assert parts == whole and units > 3


def test_an_object_too_large_to_be_held_is_read_by_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_shapes, "MAX_OBJECT_BYTES", 1000)
    rows = [{"id": n, "text": f"text {n}"} for n in range(500)]
    for name, value in (("deep", {"data": {"rows": rows}}), ("index", {f"k{n}": row for n, row in enumerate(rows)})):
        folder = tmp_path / name / "in"
        folder.mkdir(parents=True)
        (folder / "a.json").write_text(json.dumps(value))
        found, _ = table_rows(folder, 1.0)
        assert len(found) == 500 and "text 499" in "".join(found)
        (folder / "a.json").write_text(json.dumps(value)[:-700])
        found, _ = table_rows(folder, 1.0)
        assert 400 < len(found) < 500 and sum("truncated" in row for row in found) == 1


@pytest.mark.parametrize("wrapped", [lambda rows: {"data": rows}, lambda rows: {"v": 1, "data": {"rows": rows}}])
def test_rows_within_an_object_that_is_larger_than_what_is_looked_at(tmp_path: Path, wrapped: Any) -> None:
    """The first megabyte ends within the object: its rows were taken for objects behind it, and none had the column."""
    (tmp_path / "in").mkdir()
    rows = [{"id": n, "text": f"text {n}"} for n in range(50_000)]
    (tmp_path / "in" / "a.json").write_text(json.dumps(wrapped(rows)))
    assert (tmp_path / "in" / "a.json").stat().st_size > 1 << 20
    assert len(table_rows(tmp_path / "in", 1.0)[0]) == 50_000
