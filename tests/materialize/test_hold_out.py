"""What is held out: whole groups, the same ones on any machine and in any company, and nothing lost on the way."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omni_ray import api
from omni_ray.errors import OmniError
from omni_ray.materialize.combine import Combined, TrainingFileOptions, combine
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.trainers.files import all_modalities
from omni_ray.verify.run import verify
from tests.conftest import without_ray
from tests.examples import examples
from tests.made_store import Row, audio_row, commit, image_row, make_store, text_row, word_row
from tests.materialize.test_pack import in_threads, nobody

NAMES = {
    "text": ["corpus.txt"],
    "audio": ["asr.csv", "tts.csv"],
    "images": ["annotations.json"],
    "ocr": ["ocr.csv"],
}


def run(
    root: Path, modality: str, holdout: float | None = 0.3, seed: int | None = 42, how: Any = inline
) -> list[Combined]:
    return combine(Store(root), modality, TrainingFileOptions(seed, holdout=holdout), run=how)


def rows_of(path: Path) -> list[Any]:
    """The records of a flat file, each as something that can be compared."""
    if path.suffix == ".txt":
        return path.read_text("utf-8").splitlines()
    if path.suffix == ".json":
        return [tuple(entry.values()) for entry in json.loads(path.read_text("utf-8"))]
    with open(path, encoding="utf-8", newline="") as file:
        return [tuple(sorted(row.items())) for row in csv.DictReader(file)]


def sides(root: Path, modality: str, name: str | None = None) -> tuple[list[Any], list[Any]]:
    folder = root / "data" / modality
    name = name or NAMES[modality][0]
    return rows_of(folder / f"production_{name}"), rows_of(folder / f"heldout_{name}")


def grouped_rows(modality: str, count: int = 40) -> list[Row]:
    """Rows in groups of a few, each row different from all others."""
    if modality == "text":
        return [text_row(n, id=f"page {n // 4}#{n % 4}") for n in range(count)]
    if modality == "audio":
        return [audio_row(n, speaker=f"s{n // 3}") for n in range(count)]
    if modality == "images":
        return [image_row(n, captions=1 + n % 4) for n in range(count)]
    return [
        word_row(n, id=f"{n // 4}_{n}", image={"bytes": b"", "path": f"photos/{n // 4}/{n // 4}_{n}.png"})
        for n in range(count)
    ]


def group_of(modality: str, record: Any) -> str:
    """The group that a record of ``grouped_rows`` is of, told from the flat file alone."""
    if modality == "text":
        return str(int(record.split()[1]) // 4)
    if modality == "audio":
        return str(int(dict(record)["wav"].rpartition("/")[2].partition(".")[0]) // 3)
    if modality == "images":
        return str(record[0])
    return dict(record)["image"].rpartition("/")[0]


def in_shards(rows: Sequence[Row], size: int = 7) -> list[Sequence[Row]]:
    """Shards of about ``size`` rows; a document, the rows that share what comes before # in their ids, is in one."""
    documents = [list(lines) for _, lines in groupby(rows, lambda row: row["id"].partition("#")[0])]
    shards: list[list[Row]] = [[]]
    for lines in documents:
        if len(shards[-1]) >= size:
            shards.append([])
        shards[-1] += lines
    return [*shards]


@pytest.mark.parametrize("modality", all_modalities())
@pytest.mark.parametrize("seed", [42, None])
def test_groups_stay_together_and_every_record_is_on_one_side(tmp_path: Path, modality: str, seed: int | None) -> None:
    commit(tmp_path, modality, "made", in_shards(grouped_rows(modality)))
    run(tmp_path, modality, None, seed)
    files = {name: rows_of(tmp_path / f"data/{modality}/production_{name}") for name in NAMES[modality]}
    made = run(tmp_path, modality, 0.3, seed)
    for name, whole in files.items():
        kept, held = sides(tmp_path, modality, name)
        assert Counter(kept) + Counter(held) == Counter(whole)
        assert kept and held
        assert {group_of(modality, row) for row in kept}.isdisjoint(group_of(modality, row) for row in held)
        # What is left, and what is held out, stands in the order it had.
        assert kept == [row for row in whole if row in set(kept)]
        assert held == [row for row in whole if row in set(held)]
    of = {Path(file.path).name: file for file in made}
    for name, whole in files.items():
        assert of[f"production_{name}"].samples + of[f"heldout_{name}"].samples == len(whole)
        assert of[f"heldout_{name}"].records == len(sides(tmp_path, modality, name)[1])
    [own] = [file for name, file in of.items() if name.startswith("made")]
    assert Counter(rows_of(tmp_path / own.path)) == Counter(sides(tmp_path, modality)[0])


def test_speech_and_its_twin_have_the_same_rows(tmp_path: Path) -> None:
    commit(tmp_path, "audio", "made", in_shards(grouped_rows("audio")))
    run(tmp_path, "audio")
    assert sides(tmp_path, "audio", "asr.csv") == sides(tmp_path, "audio", "tts.csv")
    assert (tmp_path / "data/audio/heldout_tts.csv").read_text().startswith("text,wav\n")
    for record in sides(tmp_path, "audio")[1]:
        assert (tmp_path / dict(record)["wav"]).is_file()


@pytest.mark.parametrize("modality", all_modalities())
def test_the_order_of_work_does_not_show(tmp_path: Path, modality: str) -> None:
    rows = grouped_rows(modality)
    for name, how, size in (("one", inline, 7), ("other", in_threads, 7), ("third", in_threads, 13)):
        commit(tmp_path / name, modality, "made", in_shards(rows, size), group_rows=len(name))
        run(tmp_path / name, modality, how=how)
    for name in NAMES[modality]:
        for side in ("production_", "heldout_"):
            found = {
                (tmp_path / root / f"data/{modality}/{side}{name}").read_bytes() for root in ("one", "other", "third")
            }
            assert len(found) == 1


@pytest.mark.parametrize("modality", all_modalities())
def test_other_data_and_other_seeds_change_no_side(tmp_path: Path, modality: str) -> None:
    rows = grouped_rows(modality)
    commit(tmp_path, modality, "made", in_shards(rows))
    run(tmp_path, modality, seed=1)
    before = set(sides(tmp_path, modality)[1])
    commit(tmp_path, modality, "another", in_shards(grouped_rows(modality, 13)))
    commit(tmp_path, modality, "made", in_shards(rows[20:] + rows[:20], 5))
    run(tmp_path, modality, seed=2)
    after = {row for row in sides(tmp_path, modality)[1] if "another" not in str(row)}
    assert before <= after if modality == "text" else before == after
    run(tmp_path, modality, 0.6)
    assert before < set(sides(tmp_path, modality)[1]), "a larger share holds the smaller"


def test_a_single_speaker_is_held_out_by_clip(tmp_path: Path) -> None:
    rows = [audio_row(n, speaker="LJ") for n in range(40)]
    commit(tmp_path, "audio", "lj", in_shards(rows))
    commit(tmp_path, "audio", "found", in_shards([audio_row(n, speaker=[None, " "][n % 2]) for n in range(40)]))
    commit(tmp_path, "audio", "many", in_shards([audio_row(n, speaker=f"s{n % 5}") for n in range(40)]))
    *_, made = run(tmp_path, "audio")
    assert made.note == "found: speakers unknown, held out by recording; lj: one speaker, held out by clip"
    held = Counter(dict(row)["wav"].split("/")[2] for row in sides(tmp_path, "audio")[1])
    assert 0 < held["lj"] < 40 and 0 < held["found"] < 40 and held["many"] % 8 == 0


def test_speakers_of_a_split_to_measure_on_are_none_to_train_on(tmp_path: Path) -> None:
    rows = [audio_row(number, speaker="one" if number < 20 else f"s{number}") for number in range(24)]
    commit(tmp_path, "audio", "lj", [rows[:10], rows[10:20], rows[20:]], held_from=2)
    made = run(tmp_path, "audio", holdout=0.4)
    assert "lj: one speaker, held out by clip" in {each.note for each in made}
    kept, held = sides(tmp_path, "audio")
    assert 0 < len(kept) < 20 and len(kept) + len(held) == 24
    assert verify(tmp_path).exit_code == 0


def test_too_small_a_share_is_said(tmp_path: Path) -> None:
    commit(tmp_path, "text", "made", in_shards(grouped_rows("text")))
    *_, production, held = run(tmp_path, "text", 0.0001)
    assert (held.records, held.bytes) == (0, 0) and "no document fell into this share" in held.note
    assert production.records == 40
    commit(tmp_path, "images", "made", in_shards(grouped_rows("images")))
    run(tmp_path, "images", 0.0001)
    assert sides(tmp_path, "images")[1] == []


@pytest.mark.parametrize("limit", [1, 17, 39])
@pytest.mark.parametrize("modality", ["text", "images"])
def test_the_limit_counts_samples_of_both_sides(tmp_path: Path, modality: str, limit: int) -> None:
    commit(tmp_path, modality, "made", in_shards(grouped_rows(modality)), limit=limit)
    run(tmp_path, modality, None, seed=None)
    whole = rows_of(tmp_path / f"data/{modality}/production_{NAMES[modality][0]}")
    run(tmp_path, modality, 0.5, seed=None)
    kept, held = sides(tmp_path, modality)
    assert len(whole) == limit and Counter(kept) + Counter(held) == Counter(whole)


def state(root: Path) -> Mapping[Path, int]:
    return {path: path.stat().st_mtime_ns for path in (root / "data/text").iterdir()}


def test_nothing_is_done_twice_and_what_is_stale_goes(tmp_path: Path) -> None:
    commit(tmp_path, "text", "made", in_shards(grouped_rows("text")))
    *_, plain = run(tmp_path, "text", None)
    whole = (tmp_path / plain.path).read_bytes()
    made = run(tmp_path, "text")
    before = state(tmp_path)
    assert run(tmp_path, "text", how=nobody) == made and state(tmp_path) == before
    held_out = tmp_path / "data/text/heldout_corpus.txt"
    held_out.unlink()
    run(tmp_path, "text")
    assert held_out.exists()
    *_, again = run(tmp_path, "text", None)
    assert "the share that an earlier run held out (0.3) is in it again" in again.note
    assert run(tmp_path, "text", None)[-1] == plain
    assert (tmp_path / plain.path).read_bytes() == whole and not held_out.exists()


def test_what_somebody_else_wrote_is_left_and_said(tmp_path: Path) -> None:
    commit(tmp_path, "text", "made", in_shards(grouped_rows("text")))
    run(tmp_path, "text")
    held_out = tmp_path / "data/text/heldout_corpus.txt"
    held_out.write_text("My own lines.\n")
    *_, production = run(tmp_path, "text", None)
    assert held_out.read_text() == "My own lines.\n"
    assert "heldout_corpus.txt beside it is not of this run" in production.note


def test_a_lost_record_of_the_last_run_removes_nothing(tmp_path: Path) -> None:
    commit(tmp_path, "text", "made", in_shards(grouped_rows("text")))
    run(tmp_path, "text")
    shutil.rmtree(tmp_path / "data/.omni")
    with pytest.raises(OmniError, match="not omni-ray's"):
        run(tmp_path, "text", None)
    *_, production = combine(Store(tmp_path), "text", TrainingFileOptions(replace=True), run=inline)
    assert len(list((tmp_path / "data/text").glob("*.bak"))) == 2
    assert (tmp_path / "data/text/heldout_corpus.txt").exists() and production.note


def test_equal_documents_are_on_one_side_however_far_apart(tmp_path: Path) -> None:
    said = [[f"Line {line} of text {n}." for line in range(1 + n % 3)] for n in range(20)]
    for corpus, order in (("one", [*range(20), *range(20)]), ("other", list(range(20))[::-1])):
        rows = [text_row(0, id=f"{at}#{i}", text=line) for at, n in enumerate(order) for i, line in enumerate(said[n])]
        commit(tmp_path, "text", corpus, in_shards(rows, 5), group_rows=2)
    run(tmp_path, "text", 0.4)
    kept, held = sides(tmp_path, "text")
    assert kept and held and set(kept).isdisjoint(held) and len(kept) + len(held) == 3 * sum(map(len, said))
    held_again = api.dataset(tmp_path, "text", split="heldout", holdout=0.4).as_arrow().read_all()
    assert Counter(held_again["text"].to_pylist()) == Counter(held)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_a_share_is_between_nothing_and_all(share: float) -> None:
    with pytest.raises(OmniError, match="between 0 and 1"):
        TrainingFileOptions(holdout=share)


@pytest.mark.slow
def test_the_command_says_how_much_is_on_either_side(tmp_path: Path) -> None:
    make_store(tmp_path)
    command = [sys.executable, "-m", "omni_ray", "combine", "text", "--holdout", "0.5", "-q", "--root", str(tmp_path)]
    run(tmp_path, "text", 0.5)  # so that the command has nothing to start Ray for
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    kept, held = sides(tmp_path, "text")
    assert f"data/text: {len(kept)} samples to train on + {len(held)} held out = 10 prepared" in done.stdout


@pytest.mark.slow
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 9), max_size=12), min_size=1, max_size=4), st.floats(0.01, 0.99))
def test_no_speaker_is_on_both_sides(
    tmp_path_factory: pytest.TempPathFactory, shards: list[list[int]], share: float
) -> None:
    root = tmp_path_factory.mktemp("clips")
    number = iter(range(1000))
    speaker_of: dict[str, str] = {}
    rows = []
    for shard in shards:
        rows.append([])
        for speaker in shard:
            n = next(number)
            path = f"{n}.flac"
            speaker_of[f"data/audio/made/{path}"] = f"s{speaker}"
            rows[-1].append(audio_row(n, speaker=f"s{speaker}", audio={"bytes": b"clip", "path": path}))
    commit(root, "audio", "made", rows)
    run(root, "audio", share)
    kept, held = ([dict(row)["wav"] for row in side] for side in sides(root, "audio"))
    assert sorted([*kept, *held]) == sorted(speaker_of)
    if len(set(speaker_of.values())) > 1:
        assert {speaker_of[wav] for wav in kept}.isdisjoint(speaker_of[wav] for wav in held)


@pytest.mark.slow
def test_real_corpora_leak_nothing(corpora: Path, tmp_path: Path) -> None:
    with without_ray():
        report = api.prepare(
            tmp_path, all_modalities(), source=str(corpora), combine=True, holdout=0.25, max_samples=400
        )  # fmt: skip
    samples = Counter[str]()
    for summary in report.summaries:
        samples[summary.modality] += summary.samples
    for modality in all_modalities():
        kept, held = sides(tmp_path, modality)
        assert len(kept) + len(held) == samples[modality] and kept and held

    def speakers(rows: list[Any]) -> set[str]:
        return {wav.split("/")[4] for wav in (dict(row)["wav"] for row in rows) if "/librispeech/" in wav}

    kept, held = sides(tmp_path, "audio")
    assert speakers(kept).isdisjoint(speakers(held)) and len(speakers(kept) | speakers(held)) > 1
    note = next(file.note for file in report.files if file.path.endswith("heldout_asr.csv"))
    assert "ljspeech: one speaker, held out by clip" in note and "librispeech" not in note
    kept, held = sides(tmp_path, "images")
    assert {row[0] for row in kept}.isdisjoint(row[0] for row in held)
    kept, held = sides(tmp_path, "ocr")

    def photographs(rows: list[Any]) -> set[str]:
        names = (dict(row)["image"] for row in rows)
        return {name.rpartition("/")[0] for name in names if name.startswith(("textocr", "synthtext"))}

    assert photographs(kept).isdisjoint(photographs(held)) and photographs(held)
    found = verify(tmp_path)
    assert found.ok, found.findings
    looked_at = {file.file: file for file in found.files if "heldout" in file.file}
    assert len(looked_at) == 5
    assert all(file.rows == file.expected for file in looked_at.values())
    assert looked_at["data/audio/heldout_asr.csv"].decoded == len(sides(tmp_path, "audio")[1])
