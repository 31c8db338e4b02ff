"""Training a tokenizer: a vocabulary that fits, the same bytes every time, put where trainers look."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sentencepiece
from made_project import make_project

from omni_ray.errors import OmniError
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.parts import Part
from omni_ray.storage import Storage, write_atomic
from omni_ray.training import tokenizer
from omni_ray.training.configs import Config, default
from omni_ray.training.counts import CountedSource
from omni_ray.training.tokenizer import TokenizerRequest, find, fingerprint, sentences, train
from omni_ray.training.vocabulary import Vocabulary, settle, share, train_tokenizer


def corpus(path: Path, lines: list[str]) -> CountedSource:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return CountedSource("text", str(path))


def test_vocabulary_is_lowered_to_what_the_text_allows(tmp_path: Path, books: list[str]) -> None:
    small = train(TokenizerRequest(corpus(tmp_path / "a.txt", books[:30]), 32_000))
    assert 100 < small.pieces < 32_000
    assert small.wanted == 32_000
    assert train(TokenizerRequest(corpus(tmp_path / "b.txt", books), 500)).pieces == 500


def test_same_text_same_bytes_anywhere(tmp_path: Path, books: list[str]) -> None:
    made = [
        train(TokenizerRequest(corpus(tmp_path / name, books[:500]), 3000))
        for name in ("one.txt", "a, b/two, three.txt")
    ]
    assert made[0] == made[1]
    assert made[0].fingerprint == fingerprint(TokenizerRequest(CountedSource("text", str(tmp_path / "one.txt")), 3000))


def test_saved_files_are_what_sentencepiece_writes(tmp_path: Path, books: list[str]) -> None:
    source = corpus(tmp_path / "a.txt", books[:400])
    train(TokenizerRequest(source, 900)).save(tmp_path / "ours")
    sentencepiece.SentencePieceTrainer.train(
        input=source.path, model_prefix=str(tmp_path / "theirs"), vocab_size=900, model_type="bpe",
        character_coverage=1.0, max_sentence_length=100_000, minloglevel=2,
    )  # fmt: skip
    assert (tmp_path / "ours/tokenizer.vocab").read_bytes() == (tmp_path / "theirs.vocab").read_bytes()
    ours = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "ours/tokenizer.model"))
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "theirs.model"))
    assert ours.encode(books[400:600]) == theirs.encode(books[400:600])
    assert (ours.unk_id(), ours.bos_id(), ours.eos_id(), ours.pad_id()) == (0, 1, 2, -1)


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_save_that_was_killed_is_done_again(
    tmp_path: Path, books: list[str], monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """Whatever was there before, and however far it came."""
    old, new = (
        train(TokenizerRequest(corpus(tmp_path / name, books[:200]), size)) for name, size in (("a", 700), ("b", 800))
    )
    for before in (None, old):
        folder = tmp_path / f"after {before is not None}"
        if before is not None:
            before.save(folder)
        with monkeypatch.context() as patched:
            done: list[object] = []

            def write(path: Path, data: bytes, done: list[object] = done) -> None:
                if len(done) == written:
                    raise KeyboardInterrupt
                done.append(path)
                write_atomic(path, data)

            patched.setattr(tokenizer, "write_atomic", write)
            with pytest.raises(KeyboardInterrupt):
                new.save(folder)
        found = find(folder)
        if before is None:
            assert found is None
        else:
            # Not taken for one that the user put there, nor for the new one.
            assert found is not None and found.wanted is not None and found.fingerprint != new.fingerprint
        new.save(folder)
        found = find(folder)
        assert found is not None and (found.model, found.fingerprint) == (new.model, new.fingerprint)


def test_a_large_corpus_is_sampled_evenly(tmp_path: Path) -> None:
    source = corpus(tmp_path / "a.txt", [f"{n:07d} " + "x" * 90 for n in range(120_000)])
    limit = 4 << 20
    taken = [int(line[:7]) for line in sentences(TokenizerRequest(source, 100, limit))]
    assert 0.95 * limit < 99 * len(taken) < 1.05 * limit
    assert taken == sorted(set(taken))
    assert taken[0] == 0 and taken[-1] > 119_000
    gaps = [b - a for a, b in itertools.pairwise(taken) if b - a > 1]
    assert len(gaps) == 3 and max(gaps) - min(gaps) <= 2
    assert taken == [int(line[:7]) for line in sentences(TokenizerRequest(source, 100, limit))]


@pytest.mark.parametrize("lines", [[], ["", "   "], ["x" * 200_000]])
def test_no_text(tmp_path: Path, lines: list[str]) -> None:
    with pytest.raises(OmniError, match="no text"):
        train(TokenizerRequest(corpus(tmp_path / "a.txt", lines), 100))


def test_more_characters_than_pieces(tmp_path: Path) -> None:
    with pytest.raises(OmniError, match="set it to 104 or more"):
        train(TokenizerRequest(corpus(tmp_path / "a.txt", ["".join(map(chr, range(0x4E00, 0x4E00 + 100)))]), 50))


def test_captions_will_do(tmp_path: Path, project: Path) -> None:
    made = train(
        TokenizerRequest(CountedSource("json", str(project / "data/images/production_annotations.json")), 32_000)
    )
    assert made.pieces > 50


def test_not_a_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.model").write_bytes(b"junk")
    with pytest.raises(OmniError, match=r"tokenizer\.model"):
        find(tmp_path)


# --- which tokenizer a project has ---


def settled(root: Path, lines: list[str], *, vocab_size: int = 32_000) -> Vocabulary:
    configs = {name: Config(name, default(name)) for name in ("thinker", "vision", "omni_sft")}
    configs["thinker"].values["vocab_size"] = vocab_size
    made = settle(root, configs, corpus(root / "text.txt", lines), inline)
    made.save(root)
    return made


def test_it_is_put_where_every_trainer_looks(tmp_path: Path, books: list[str]) -> None:
    made = settled(tmp_path, books[:100])
    assert made.places == ["checkpoints/thinker_tiny", "checkpoints/thinker_tiny_sft"]
    models = {(tmp_path / place / "tokenizer.model").read_bytes() for place in made.places}
    assert models == {made.trained.model}


def test_it_stays_while_its_text_stays(tmp_path: Path, books: list[str]) -> None:
    first = settled(tmp_path, books[:100])
    again = settled(tmp_path, books[:100], vocab_size=first.trained.pieces)
    assert again.places == [] and again.trained == first.trained


def test_it_grows_with_its_text_to_the_size_once_asked_for(tmp_path: Path, books: list[str]) -> None:
    first = settled(tmp_path, books[:100])
    # A plan has lowered vocab_size in the configuration meanwhile.
    again = settled(tmp_path, books, vocab_size=first.trained.pieces)
    assert again.trained.wanted == 32_000
    assert again.trained.pieces > first.trained.pieces


def test_it_stays_with_the_weights_trained_on_it(tmp_path: Path, books: list[str]) -> None:
    first = settled(tmp_path, books[:100])
    (tmp_path / "checkpoints/thinker_tiny/thinker_step_1000.pt").write_bytes(b"weights")
    again = settled(tmp_path, books, vocab_size=first.trained.pieces)
    assert again.trained.model == first.trained.model
    assert "thinker_step_1000.pt" in again.warnings[0]


def test_the_users_own_is_never_replaced(tmp_path: Path, books: list[str]) -> None:
    own = train(TokenizerRequest(corpus(tmp_path / "own.txt", books[:50]), 300))
    (tmp_path / "checkpoints/thinker_tiny").mkdir(parents=True)
    (tmp_path / "checkpoints/thinker_tiny/tokenizer.model").write_bytes(own.model)
    made = settled(tmp_path, books)
    assert made.trained.model == own.model
    assert made.places == ["checkpoints/thinker_tiny_sft"]


def test_two_tokenizers_of_the_users_are_a_problem(tmp_path: Path, books: list[str]) -> None:
    for folder, size in (("thinker_tiny", 300), ("thinker_tiny_sft", 400)):
        own = train(TokenizerRequest(corpus(tmp_path / "own.txt", books[:50]), size))
        (tmp_path / "checkpoints" / folder).mkdir(parents=True)
        (tmp_path / "checkpoints" / folder / "tokenizer.model").write_bytes(own.model)
    assert "another tokenizer" in settled(tmp_path, books).problems["omni_sft"]


def test_a_copy_stays_with_the_weights_trained_on_it(tmp_path: Path, books: list[str]) -> None:
    first = settled(tmp_path, books[:100])
    (tmp_path / "checkpoints/thinker_tiny_sft/thinker.pt").write_bytes(b"bare weights")
    again = settled(tmp_path, books, vocab_size=first.trained.pieces)
    assert again.places == ["checkpoints/thinker_tiny"]
    assert "thinker.pt beside it was trained with it" in again.problems["omni_sft"]
    assert (tmp_path / "checkpoints/thinker_tiny_sft/tokenizer.model").read_bytes() == first.trained.model


@pytest.mark.parametrize(("has_weights", "configured", "size"), [(True, 900, 900), (True, 50, 60), (False, 900, 60)])
def test_a_larger_vocabulary_stays_under_its_weights(has_weights: bool, configured: int, size: int) -> None:
    for name, key in (("thinker", "vocab_size"), ("omni_sft", "thinker.vocab_size")):
        config = Config(name, default(name))
        config.set(key, configured, "by hand")
        share(config, 60, has_weights=has_weights)
        assert config.get(key) == size


@pytest.mark.parametrize("folder", ["thinker_tiny", "thinker_tiny_sft"])
def test_training_on_request_replaces_no_tokenizer_of_the_users_unless_forced(tmp_path: Path, folder: str) -> None:
    root = make_project(tmp_path / "p")
    own = train(TokenizerRequest(CountedSource("text", str(root / "data/text/production_corpus.txt")), 50)).model
    place = root / "checkpoints" / folder
    place.mkdir(parents=True)
    (place / "tokenizer.model").write_bytes(own)
    for name in ("tokenizer.vocab", "tokenizer.json", "tokenizer.model.bak"):
        (place / name).write_text("mine")
    with pytest.raises(OmniError, match=f"{folder}/tokenizer.model is not one that was trained here.*--force"):
        train_tokenizer(root, vocab_size=60)
    assert (place / "tokenizer.model").read_bytes() == own
    made = train_tokenizer(root, vocab_size=60, force=True)
    assert (place / "tokenizer.model").read_bytes() == made.vocabulary.trained.model
    assert (place / "tokenizer.model.2.bak").read_bytes() == own
    kept = ["tokenizer.vocab.bak", "tokenizer.json.bak", "tokenizer.model.bak"]
    assert [(place / name).read_text() for name in kept] == ["mine"] * 3
    # What was trained here is no longer anybody's own.
    train_tokenizer(root, vocab_size=55)
    assert len(list(place.glob("*.bak"))) == 4


def test_samples_beyond_the_limit_are_not_trained_on(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    lines = [f"line {n}" for n in range(100)]
    for name, table in {
        "text": pa.table({"id": lines, "text": pa.array(lines, pa.large_string())}),
        "images": pa.table({"id": lines[::2], "captions": [lines[n : n + 2] for n in range(0, 100, 2)]}),
    }.items():
        sink = io.BytesIO()
        pq.write_table(table, sink, row_group_size=20)
        storage.write(f"{name}.parquet", sink.getvalue())
        rows, over = (63, 0) if name == "text" else (32, 1)
        part = Part(storage, f"{name}.parquet", name, name, 0, "", 0, table.num_rows, rows, 63, over)
        source = CountedSource("shards", "", shards=(part,))
        assert list(sentences(TokenizerRequest(source, 100))) == lines[:63]


def test_training_on_request_sets_the_size_everywhere(tmp_path: Path) -> None:
    root = make_project(tmp_path / "p")
    made = train_tokenizer(root, vocab_size=60)
    assert made.vocabulary.trained.pieces == 60
    assert [f for f in made.written if f.endswith(".json")] == [
        "configs/thinker_tiny.json", "configs/vision_tiny.json", "configs/omni_sft_tiny.json",
    ]  # fmt: skip
    for name in ("vision", "omni_sft"):
        assert '"vocab_size": 60,' in (root / f"configs/{name}_tiny.json").read_text()
    (root / "checkpoints/thinker_tiny/thinker.pt").write_bytes(b"weights")
    with pytest.raises(OmniError, match="--force"):
        train_tokenizer(root, vocab_size=70)
    assert train_tokenizer(root, vocab_size=70, force=True).vocabulary.trained.pieces == 70
