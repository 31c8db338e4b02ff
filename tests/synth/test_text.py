"""Text out of a book: rich, clean, never the same line twice, and a pure function of seed and index."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_ray.corpora.synthetic_samples import SyntheticText
from omni_ray.modalities.lines import one_line
from omni_ray.synth import book, native_task, tiny
from omni_ray.synth.book import make_text, utterance
from omni_ray.synth.pictures import draw
from omni_ray.synth.tiny import DEFAULT_SAMPLES
from omni_ray.synth.word_images import label

LINES = DEFAULT_SAMPLES["text"]


@pytest.fixture(scope="module")
def corpus() -> list[str]:
    """What the default number of samples gives."""
    return make_text(42, 0, LINES)


def test_the_text_comes_with_where_it_is_from() -> None:
    provenance = Path(book.__file__).with_name("text") / "PROVENANCE.txt"
    assert f"holds {len(book.sentences())} sentences" in provenance.read_text()
    assert len(set(book.sentences())) == len(book.sentences())
    assert all(one_line(sentence) == sentence and 30 <= len(sentence) <= 250 for sentence in book.sentences())


def test_every_line_is_different_and_the_whole_about_two_megabytes(corpus: list[str]) -> None:
    assert len(set(corpus)) == LINES
    assert 1_800_000 < sum(len(line.encode()) + 1 for line in corpus) < 2_200_000


@pytest.mark.slow
def test_lines_are_different_however_many_there_are() -> None:
    assert len({hash(line) for line in make_text(7, 1_000_000, 1_200_000)}) == 200_000


def test_lines_are_clean(corpus: list[str]) -> None:
    assert all(one_line(line) == line for line in corpus)
    assert all(re.match(r"[A-Z“]", line) and line[-1] in ".!?”" for line in corpus)
    assert not [line for line in corpus if "  " in line or " ." in line]


def test_there_are_thousands_of_words(corpus: list[str]) -> None:
    kinds = {word.lower() for line in corpus for word in re.findall(r"[^\W\d_]+", line)}
    assert len(kinds) > 10_000
    assert {"’", "—", "“"} <= set("".join(corpus))


@pytest.mark.parametrize("pieces", [4_000, 32_000])
def test_a_tokenizer_of_the_usual_sizes_can_be_trained(corpus: list[str], pieces: int, tmp_path: Path) -> None:
    import sentencepiece

    path = tmp_path / "corpus.txt"
    path.write_text("\n".join(corpus) + "\n", encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(path), model_prefix=str(tmp_path / "t"), vocab_size=pieces, model_type="bpe",
        character_coverage=1.0, minloglevel=2,
    )  # fmt: skip
    assert sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "t.model")).get_piece_size() == pieces


def test_a_line_depends_on_seed_and_index_only(corpus: list[str]) -> None:
    assert make_text(42, 5_000, 5_003) == corpus[5_000:5_003]
    assert make_text(43, 5_000, 5_003) != corpus[5_000:5_003]


def test_words_are_plain_and_many() -> None:
    assert len(book.words()) > 9_000
    assert all(re.fullmatch(r"[a-z]{3,12}", word) for word in book.words())


@given(st.integers())
def test_names_are_two_words(seed: int) -> None:
    assert re.fullmatch(r"[A-Z][a-z]+ [A-Z][a-z]+", book.name(Random(seed)))


@given(st.integers(), st.integers(24, 60))
def test_utterances_keep_to_their_length_and_alphabet(seed: int, longest: int) -> None:
    text = utterance(Random(seed), longest)
    assert 12 <= len(text) <= longest
    assert re.fullmatch(r"[a-z']+( [a-z']+)*", text)


def test_the_same_version_says_the_same() -> None:
    """What is drawn from the streams, in text: other digests want other versions, or old projects keep what is no more."""
    said = [
        *make_text(1, 0, 20),
        *(utterance(Random(i), 40) for i in range(20)),
        *(label(Random(i)) for i in range(20)),
    ]
    said += [caption for i in range(20) for caption in draw(Random(i), (64, 64))[1]]
    digest = sha256("\n".join(said).encode()).hexdigest()[:16]
    assert (tiny._VERSION, native_task._VERSION, SyntheticText.version, digest) == (2, 2, 2, "c2b59003ff337664")
