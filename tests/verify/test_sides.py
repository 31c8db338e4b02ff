"""Nothing is both trained on and held out, and verify would see it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omni_ray.materialize.combine import TrainingFileOptions, combine
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.quality import partitions
from omni_ray.verify import sides
from omni_ray.verify.report import Finding
from omni_ray.verify.run import verify
from omni_ray.verify.scratch import scratch_folder
from tests.examples import examples
from tests.made_store import Row, audio_row, commit, make_store, text_row, word_row


@pytest.fixture(params=[False, True], ids=["at once", "in slices"])
def in_slices(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setattr(sides, "SLICE_SIGHTINGS", 2)
        monkeypatch.setattr(partitions, "PIECE_ENTRIES", 3)


def found(root: Path, modality: str) -> dict[str, Finding]:
    report = verify(root, modalities=[modality])
    leaks = {f.code: f for f in report.findings if f.code.endswith("both_sides")}
    assert not leaks or report.exit_code == 1
    assert not list((root / "data/.omni").glob("verify*"))
    return leaks


def leaks(root: Path, modality: str) -> list[str]:
    return [str(example) for finding in found(root, modality).values() for example in finding.examples]


def documents(said: Sequence[Sequence[str]], first: int = 0) -> list[Row]:
    return [
        text_row(0, id=f"page {number}#{line}", text=text)
        for number, lines in enumerate(said, first)
        for line, text in enumerate(lines)
    ]


def parted(root: Path, trained: Sequence[Sequence[str]], held: Sequence[Sequence[str]]) -> None:
    """A corpus of documents, some of which are a split to measure on."""
    commit(root, "text", "made", [documents(trained), documents(held, len(trained))], held_from=1, group_rows=2)
    combine(Store(root), "text", TrainingFileOptions(), run=inline)


@pytest.mark.usefixtures("in_slices")
@pytest.mark.parametrize("modality", ["audio", "images", "ocr"])
def test_media_on_both_sides(tmp_path: Path, modality: str) -> None:
    make_store(tmp_path, rows=12)
    combine(Store(tmp_path), modality, TrainingFileOptions(holdout=0.4), run=inline)
    assert leaks(tmp_path, modality) == []
    folder = tmp_path / "data" / modality
    name = {"audio": "asr.csv", "images": "annotations.json", "ocr": "ocr.csv"}[modality]
    trained, held = folder / f"production_{name}", folder / f"heldout_{name}"
    media = sorted(p for p in (folder / f"{modality}_corpus").rglob("*") if p.is_file())

    def named(file: Path) -> Path:
        return next(p for p in media if p.relative_to(folder).as_posix() in file.read_text())

    shutil.copyfile(named(trained), named(held))
    assert found(tmp_path, modality)["both_sides"].count == 1
    assert any("has the bytes of" in each for each in leaks(tmp_path, modality))
    shutil.copyfile(trained, held)
    said = leaks(tmp_path, modality)
    assert any("is on both sides" in each for each in said)
    rows = len(json.loads(held.read_text())) / 3 if modality == "images" else len(held.read_text().splitlines()) - 1
    assert found(tmp_path, modality)["both_sides"].count == rows


@pytest.mark.usefixtures("in_slices")
def test_a_speaker_on_both_sides(tmp_path: Path) -> None:
    make_store(tmp_path, rows=12)
    combine(Store(tmp_path), "audio", TrainingFileOptions(holdout=0.4), run=inline)
    trained, held = (tmp_path / f"data/audio/{side}_asr.csv" for side in ("production", "heldout"))
    head, *rows = trained.read_text().splitlines()
    held.write_text("\n".join([*held.read_text().splitlines(), rows[0]]) + "\n")
    trained.write_text("\n".join([head, *rows[1:]]) + "\n")
    finding = found(tmp_path, "audio")["group_both_sides"]
    path = rows[0].partition(",")[0]
    assert finding.count == 1 and finding.file == "data/audio/heldout_asr.csv"
    said = str(finding.examples[0])
    assert said.startswith("speaker s") and f"of audio_corpus: {path} is held out, data/audio/" not in said
    assert path.removeprefix("data/audio/audio_corpus/") + " is held out" in said and "is trained on" in said


@pytest.mark.parametrize(("modality", "name"), [("audio", "recording talk"), ("ocr", "photograph photos/1")])
def test_what_media_are_cut_from_on_both_sides(tmp_path: Path, modality: str, name: str) -> None:
    if modality == "audio":
        cut = [{"path": f"talk-{n}.000-{n}.500.flac", "bytes": audio_row(n)["audio"]["bytes"]} for n in range(8)]
        rows = [audio_row(n, speaker=None, audio=audio) for n, audio in enumerate(cut)]
    else:
        cut = [{"path": f"photos/1/1_{n}.png", "bytes": word_row(n)["image"]["bytes"]} for n in range(8)]
        rows = [word_row(n, id=f"1_{n}", image=image) for n, image in enumerate(cut)]
    commit(tmp_path, modality, "made", [rows[:4], rows[4:]], held_from=1)
    combine(Store(tmp_path), modality, TrainingFileOptions(), run=inline)
    finding = found(tmp_path, modality)["group_both_sides"]
    assert finding.count == 1 and f"{name} of made" in finding.examples[0].detail


@pytest.mark.usefixtures("in_slices")
def test_a_line_on_both_sides(tmp_path: Path) -> None:
    said = [[f"Line {line} of document {n}." for line in range(3)] for n in range(12)]
    commit(tmp_path, "text", "made", [documents(said[:6]), documents(said[6:], 6)])
    combine(Store(tmp_path), "text", TrainingFileOptions(holdout=0.4), run=inline)
    trained, held = (tmp_path / f"data/text/{side}_corpus.txt" for side in ("production", "heldout"))
    assert leaks(tmp_path, "text") == []
    lines = trained.read_text().splitlines()
    with open(held, "a") as file:
        file.write(f"{lines[4]}\nNobody knows this line.\n")
    with open(trained, "a") as file:
        file.write("Nobody knows this line.\n")
    samples = found(tmp_path, "text")["both_sides"]
    assert samples.count == 2
    last = len(held.read_text().splitlines())
    assert [(e.line, e.detail) for e in samples.examples] == [
        (last - 1, repr(lines[4])),
        (last, "'Nobody knows this line.'"),
    ]
    # A line that moved leaves its document on both sides.
    trained.write_text("\n".join([*lines[:4], *lines[5:]]) + "\n")
    group = found(tmp_path, "text")["group_both_sides"]
    number = lines[4].split()[-1].rstrip(".")
    assert [e.detail for e in group.examples] == [
        f"document page {number} of made is held out in part, and trained on in part"
    ]


@pytest.mark.usefixtures("in_slices")
def test_a_document_on_both_sides(tmp_path: Path) -> None:
    common = ["Hello.", "How are you?"]
    trained = [["One.", "Two."], common, ["Hello.", "Goodbye."]]
    parted(tmp_path / "apart", trained, [["How are you?", "Hello."], ["Hello."], ["Three."]])
    assert found(tmp_path / "apart", "text") == {}, "lines that several documents share give none of them away"
    report = verify(tmp_path / "apart", modalities=["text"])
    [facts] = [file.facts for file in report.files if file.file == "data/text/heldout_corpus.txt"]
    assert facts["lines_of_both_sides"] == 2
    parted(tmp_path / "whole", trained, [["Hello."], common, ["Three."]])
    finding = found(tmp_path / "whole", "text")["group_both_sides"]
    assert finding.count == 1
    assert (
        finding.examples[0].detail == "document page 4 of made is held out, and says what document page 1 of made says"
    )
    parted(tmp_path / "unlike", trained, [["Three."], ["One.", "Two."]])
    both = found(tmp_path / "unlike", "text")
    assert (both["both_sides"].count, both["group_both_sides"].count) == (2, 1)


line = st.sampled_from([f"{number} said." for number in range(30)])


@pytest.mark.slow
@settings(max_examples=examples(40), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.lists(line, min_size=1, max_size=3), max_size=8), min_size=2, max_size=2))
def test_all_that_is_common_is_found(tmp_path_factory: pytest.TempPathFactory, both: list[list[list[str]]]) -> None:
    root = tmp_path_factory.mktemp("parted")
    trained, held = both
    if not trained or not held:
        return
    parted(root, trained, held)
    report = verify(root, modalities=["text"])
    counts = {finding.code: finding.count for finding in report.findings}
    [facts] = [file.facts for file in report.files if file.file == "data/text/heldout_corpus.txt"]
    contents = {tuple(each) for each in (*trained, *held)}
    on_both = {each for side in trained for each in side} & {each for side in held for each in side}
    alone = {each for each in on_both if sum(each in content for content in contents) == 1}
    assert counts.get("both_sides", 0) == len(alone)
    assert facts.get("lines_of_both_sides", 0) == len(on_both - alone)
    assert counts.get("group_both_sides", 0) == len(set(map(tuple, trained)) & set(map(tuple, held)))


def test_what_was_spread_over_files_goes(tmp_path: Path) -> None:
    (tmp_path / "verify/killed").mkdir(parents=True)
    with scratch_folder(tmp_path) as one:
        assert list((tmp_path / "verify").iterdir()) == [one], "what a killed run left is removed"
        with scratch_folder(tmp_path) as two:
            assert one.is_dir() and two.is_dir(), "what another one uses is not"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "verify").write_text("no folder can be made here")
    with scratch_folder(tmp_path) as elsewhere:
        assert elsewhere.is_dir() and not elsewhere.is_relative_to(tmp_path / "verify")
