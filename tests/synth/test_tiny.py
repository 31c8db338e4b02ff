"""The tiny training files: what the trainers need, the same bytes however they are made, and made once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import soundfile
from PIL import Image

from omni_ray.errors import OmniError
from omni_ray.synth import espeak, samples, tiny
from omni_ray.synth.book import make_text
from omni_ray.synth.clips import is_learnable
from omni_ray.synth.tiny import Chunk, synthesize_tiny, write_chunk
from tests.folders import files_in

_FILES = {
    "data/text/tiny_corpus.txt",
    "data/audio/asr.csv",
    "data/audio/tts.csv",
    "data/images/annotations.json",
    "data/ocr/ocr_train.csv",
}


@pytest.fixture(scope="module", autouse=True)
def small_chunks() -> Iterator[None]:
    """Several chunks of each kind from a few samples."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny, "_CHUNK", {"text": 7, "audio": 4, "images": 5, "ocr": 6})
        yield


@pytest.fixture(scope="module")
def made(small_chunks: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiny")
    synthesize_tiny(root, 20, 42)
    return root


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_files_are_where_the_trainers_look(made: Path) -> None:
    report = synthesize_tiny(made, 20, 42)
    assert {file.path for file in report.files} == _FILES
    assert all(file.samples == 20 for file in report.files)
    assert all((made / path).is_file() for path in _FILES)


def test_flat_files_follow_the_rules_of_the_trainers(made: Path) -> None:
    for path in _FILES:
        data = (made / path).read_bytes()
        assert not data.startswith(b"\xef\xbb\xbf")
        assert b"\r" not in data
        assert b"\0" not in data
        assert data.endswith(b"\n")
        data.decode("utf-8")
    assert (made / "data/audio/asr.csv").read_bytes().startswith(b"wav,text\n")
    assert (made / "data/audio/tts.csv").read_bytes().startswith(b"text,wav\n")
    assert (made / "data/ocr/ocr_train.csv").read_bytes().startswith(b"image,text\n")


def test_text_is_one_sample_a_line(made: Path) -> None:
    lines = (made / "data/text/tiny_corpus.txt").read_text(encoding="utf-8").splitlines()
    assert lines == make_text(42, 0, 20)


def test_clips_are_at_16_khz_and_learnable_and_both_tables_agree(made: Path) -> None:
    recognised, spoken = _rows(made / "data/audio/asr.csv"), _rows(made / "data/audio/tts.csv")
    assert recognised == spoken
    assert len(recognised) == 20
    for row in recognised:
        assert row["wav"].startswith("data/audio/synthetic/")
        samples, rate = soundfile.read(made / row["wav"], dtype="int16")
        assert (rate, samples.ndim) == (16_000, 1)
        assert is_learnable(row["text"], len(samples))


def test_pictures_are_found_from_the_image_root(made: Path) -> None:
    entries = json.loads((made / "data/images/annotations.json").read_text(encoding="utf-8"))
    assert len(entries) == 20
    for entry in entries:
        assert set(entry) == {"image", "caption", "category"}
        with Image.open(made / "data/images" / entry["image"]) as image:
            image.load()
            assert (image.mode, image.size) == ("RGB", (224, 224))
        assert entry["caption"].strip()


def test_words_are_found_from_the_ocr_root(made: Path) -> None:
    rows = _rows(made / "data/ocr/ocr_train.csv")
    assert len(rows) == 20
    for row in rows:
        with Image.open(made / "data/ocr" / row["image"]) as image:
            image.load()
        assert row["text"].strip()


def test_the_order_of_the_work_changes_nothing(made: Path, tmp_path: Path) -> None:
    def backwards(function: Callable[[Chunk], int], chunks: Iterable[Chunk]) -> Iterator[int]:
        return map(function, reversed(list(chunks)))

    synthesize_tiny(tmp_path, 20, 42, backwards)
    assert files_in(tmp_path) == files_in(made)


def test_a_longer_run_begins_with_the_same_samples(made: Path, tmp_path: Path) -> None:
    synthesize_tiny(tmp_path, 23, 42, kinds=("images",))
    longer = json.loads((tmp_path / "data/images/annotations.json").read_bytes())
    assert longer[:20] == json.loads((made / "data/images/annotations.json").read_bytes())


def test_another_seed_gives_other_samples_in_the_same_place(tmp_path: Path) -> None:
    synthesize_tiny(tmp_path, 6, 1, kinds=("ocr", "text"))
    first = files_in(tmp_path)
    assert synthesize_tiny(tmp_path, 6, 2, kinds=("ocr", "text")).chunks_made == 2
    second = files_in(tmp_path)
    assert first.keys() == second.keys()
    assert all(first[path] != second[path] for path in first)
    synthesize_tiny(tmp_path, 6, 1, kinds=("ocr", "text"))
    assert files_in(tmp_path) == first


def test_what_is_there_is_not_made_again(made: Path) -> None:
    assert synthesize_tiny(made, 20, 42).chunks_made == 0


@pytest.mark.parametrize("harm", ["gone", "cut short", "list cut short"])
def test_only_the_chunk_that_was_harmed_is_made_again(tmp_path: Path, harm: str) -> None:
    synthesize_tiny(tmp_path, 18, 3, kinds=("images", "ocr"))
    whole = files_in(tmp_path)
    picture = tmp_path / "data/images/synthetic/000007.jpg"
    if harm == "gone":
        picture.unlink()
    elif harm == "cut short":
        picture.write_bytes(picture.read_bytes()[:100])
    else:
        listed = tmp_path / "data/.synthetic/images/00000005.jsonl"
        listed.write_bytes(listed.read_bytes()[:-20])
    assert synthesize_tiny(tmp_path, 18, 3, kinds=("images", "ocr")).chunks_made == 1
    assert files_in(tmp_path) == whole


def test_a_run_that_was_cut_short_is_taken_up(made: Path, tmp_path: Path) -> None:
    done: list[Chunk] = []

    def dying(function: Callable[[Chunk], int], chunks: Iterable[Chunk]) -> Iterator[int]:
        for chunk in chunks:
            if len(done) == 9:
                raise KeyboardInterrupt
            done.append(chunk)
            yield function(chunk)

    with pytest.raises(KeyboardInterrupt):
        synthesize_tiny(tmp_path, 20, 42, dying)
    assert not any((tmp_path / path).exists() for path in _FILES)
    report = synthesize_tiny(tmp_path, 20, 42)
    assert report.chunks_made == len(tiny.chunks(tmp_path, 20, 42, tiny.KINDS, report.speech)) - 9
    assert files_in(tmp_path) == files_in(made)


def test_a_failing_run_leaves_the_old_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synthesize_tiny(tmp_path, 5, 1, kinds=("text",))
    old = (tmp_path / "data/text/tiny_corpus.txt").read_bytes()

    def failing(chunk: Chunk) -> int:
        raise OmniError("no room")

    monkeypatch.setattr(tiny, "write_chunk", failing)
    with pytest.raises(OmniError, match="no room"):
        synthesize_tiny(tmp_path, 5, 2, kinds=("text",))
    assert (tmp_path / "data/text/tiny_corpus.txt").read_bytes() == old


def test_without_speech_there_are_chords_and_a_warning(tmp_path: Path) -> None:
    report = synthesize_tiny(tmp_path, 4, 42, kinds=("audio",), speech="tones")
    assert report.speech == "tones"
    assert "espeak-ng is not installed" in report.warnings[0]
    for row in _rows(tmp_path / "data/audio/asr.csv"):
        assert is_learnable(row["text"], soundfile.info(tmp_path / row["wav"]).frames)


def test_chords_are_replaced_when_speech_becomes_available(tmp_path: Path) -> None:
    if not espeak.available():
        pytest.skip("espeak-ng is not installed (the extra 'speech')")
    synthesize_tiny(tmp_path, 4, 42, kinds=("audio",), speech="tones")
    before = files_in(tmp_path)["data/audio/synthetic/000000.flac"]
    report = synthesize_tiny(tmp_path, 4, 42, kinds=("audio",))
    assert (report.speech, report.chunks_made, report.warnings) == ("espeak-ng", 1, [])
    assert files_in(tmp_path)["data/audio/synthetic/000000.flac"] != before


def test_wrong_input_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(OmniError, match="at least 1"):
        synthesize_tiny(tmp_path, 0)
    with pytest.raises(OmniError, match="no synthetic video"):
        synthesize_tiny(tmp_path, 1, kinds=("video",))
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(OmniError, match="cannot be written"):
        synthesize_tiny(blocked, 1, kinds=("text",))
    with pytest.raises(OmniError, match="cannot be written"):
        synthesize_tiny(blocked, 1, kinds=("images",))


def test_transcripts_with_commas_and_quotes_survive_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = ['say "no", twice', "1,234", "plain", "'", '"']
    image = samples.make_word_image(1, 1)
    monkeypatch.setattr(samples, "make_word_image", lambda seed, i: image._replace(label=labels[i]))
    synthesize_tiny(tmp_path, len(labels), kinds=("ocr",))
    assert [row["text"] for row in _rows(tmp_path / "data/ocr/ocr_train.csv")] == labels


def test_chunks_travel_to_workers(tmp_path: Path) -> None:
    import pickle

    chunk = Chunk("ocr", str(tmp_path), 1, 0, 2, "tones")
    function, item = pickle.loads(pickle.dumps((write_chunk, chunk)))
    assert function(item) == 2
    with Image.open(io.BytesIO((tmp_path / "data/ocr/synthetic/000001.jpg").read_bytes())) as image:
        image.load()


@pytest.mark.slow
def test_the_sizes_are_those_of_the_specification(tmp_path: Path) -> None:
    """From a hundred of each: nobody waits for them all."""
    wanted = {"text": 2.0, "audio": 15.0, "images": 20.0}
    speech = synthesize_tiny(tmp_path, 100, 42, kinds=("text", "audio", "images")).speech
    for kind, megabytes in wanted.items():
        size = sum(path.stat().st_size for path in (tmp_path / "data" / kind).rglob("*") if path.is_file())
        assert size / 100 * tiny.DEFAULT_SAMPLES[kind] / 1e6 == pytest.approx(megabytes, rel=0.15), kind
    todo = tiny.chunks(tmp_path, None, 42, tiny.KINDS, speech)
    assert {kind: sum(c.stop - c.start for c in todo if c.kind == kind) for kind in tiny.KINDS} == tiny.DEFAULT_SAMPLES


@pytest.mark.parametrize(
    "name", [*sorted(_FILES), "data/images/synthetic/000001.jpg", "data/audio/synthetic/000000.flac"]
)
def test_what_is_not_of_synth_is_refused(tmp_path: Path, name: str) -> None:
    mine = tmp_path / name
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(OmniError, match=mine.name):
        synthesize_tiny(tmp_path, 3, 1, speech="tones")
    assert mine.read_bytes() == b"mine"
    mine.unlink()
    synthesize_tiny(tmp_path, 3, 1, speech="tones")
    first = mine.read_bytes()
    synthesize_tiny(tmp_path, 4, 2, speech="tones")
    assert mine.read_bytes() != first
    mine.write_bytes(b"changed")
    with pytest.raises(OmniError, match=mine.name):
        synthesize_tiny(tmp_path, 3, 3, speech="tones")
    assert mine.read_bytes() == b"changed"


def test_a_killed_run_of_another_seed_leaves_what_the_next_one_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synthesize_tiny(tmp_path, 4, 1, kinds=["images"])
    write = tiny.write_atomic

    def killed(path: Path, data: bytes, *, sync: bool = True) -> None:
        if path.name == "000002.jpg":
            raise KeyboardInterrupt
        write(path, data, sync=sync)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(tiny, "write_atomic", killed)
        synthesize_tiny(tmp_path, 4, 2, kinds=["images"])
    synthesize_tiny(tmp_path, 4, 3, kinds=["images"])
    synthesize_tiny(tmp_path / "fresh", 4, 3, kinds=["images"])
    assert files_in(tmp_path / "fresh").items() <= files_in(tmp_path).items()


def test_synth_writes_through_no_link(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "project/data/images").mkdir(parents=True)
    (tmp_path / "project/data/images/synthetic").symlink_to(tmp_path / "outside")
    with pytest.raises(OmniError, match="is a link to"):
        synthesize_tiny(tmp_path / "project", 3, 1, kinds=["images"])
    assert not list((tmp_path / "outside").iterdir())
