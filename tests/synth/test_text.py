"""The grammar: rich, clean, true where it states facts, and a pure function of seed and index."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_ray.modalities.lines import one_line
from omni_ray.synth import names, sentences, words
from omni_ray.synth.morphology import comparative, gerund, participle, past, plural, third, with_article
from omni_ray.synth.numerals import date, in_words, ordinal, ordinal_in_words
from omni_ray.synth.sentences import make_text
from omni_ray.synth.utterances import utterance


@pytest.fixture(scope="module")
def corpus() -> list[str]:
    """What the default number of samples gives."""
    return make_text(42, 0, 10_000)


def test_every_line_is_different_and_the_whole_about_two_megabytes(corpus: list[str]) -> None:
    assert len(set(corpus)) == 10_000
    assert 1_800_000 < sum(len(line.encode()) + 1 for line in corpus) < 2_600_000


def test_lines_are_clean(corpus: list[str]) -> None:
    assert all(one_line(line) == line for line in corpus)
    assert all(re.match(r"[A-ZÉ“0-9]", line) and line[-1] in ".!?”" for line in corpus)
    assert not [line for line in corpus if "  " in line or " ." in line or "None" in line]


def test_there_are_thousands_of_words(corpus: list[str]) -> None:
    kinds = {word.lower() for line in corpus for word in re.findall(r"[^\W\d_]+", line)}
    assert len(kinds) > 15_000
    assert {"é", "ö"} <= set("".join(corpus))


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


def test_sums_are_right(corpus: list[str]) -> None:
    added = re.findall(r"add (\d+) and (\d+), you get (\d+)", "\n".join(corpus))
    solved = re.findall(r"(\d+)x \+ (\d+) = (\d+); the answer is x = (\d+)", "\n".join(corpus))
    assert len(added) > 50
    assert len(solved) > 50
    assert all(int(a) + int(b) == int(c) for a, b, c in added)
    assert all(int(a) * int(x) + int(b) == int(c) for a, b, c, x in solved)


@given(st.integers(0, 999_999), st.integers(0, 999_999))
def test_numbers_in_words_tell_numbers_apart(a: int, b: int) -> None:
    assert (in_words(a) == in_words(b)) == (a == b)
    assert re.fullmatch(r"[a-z]+( [a-z]+)*", in_words(a))


@pytest.mark.parametrize(
    ("number", "spoken"),
    [(0, "zero"), (40, "forty"), (342, "three hundred and forty two"), (1_000, "one thousand"),
     (70_005, "seventy thousand and five"), (23_456, "twenty three thousand four hundred and fifty six")],
)  # fmt: skip
def test_numbers_in_words(number: int, spoken: str) -> None:
    assert in_words(number) == spoken


def test_ordinals() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)] == [
        "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th",
    ]  # fmt: skip
    assert [ordinal_in_words(n) for n in (1, 5, 8, 9, 12, 20, 21, 43)] == [
        "first", "fifth", "eighth", "ninth", "twelfth", "twentieth", "twenty first", "forty third",
    ]  # fmt: skip


def test_inflection() -> None:
    assert [plural(noun) for noun in ("berry", "box", "wolf", "key", "sheep", "match", "potato")] == [
        "berries", "boxes", "wolves", "keys", "sheep", "matches", "potatoes",
    ]  # fmt: skip
    assert [past(verb) for verb in ("carry", "like", "stir", "play", "buy", "agree")] == [
        "carried", "liked", "stirred", "played", "bought", "agreed",
    ]  # fmt: skip
    assert [gerund(verb) for verb in ("make", "tie", "agree", "run", "dye", "fly")] == [
        "making", "tying", "agreeing", "running", "dyeing", "flying",
    ]  # fmt: skip
    assert [participle("hide"), participle("walk"), third("carry"), third("go")] == [
        "hidden",
        "walked",
        "carries",
        "goes",
    ]
    assert [comparative(word, True) for word in ("dry", "hot", "wise")] == ["drier", "hotter", "wiser"]
    assert comparative("vivid", False) == "more vivid"


def test_articles() -> None:
    nouns = ("apple", "horse", "hour", "university", "umbrella", "unusual day", "ewe", "honest man", "one")
    assert [with_article(noun).split()[0] for noun in nouns] == ["an", "a", "an", "a", "an", "an", "a", "an", "a"]


def test_vocabulary_is_clean() -> None:
    assert len(words.ALL) > 2_000
    assert all(re.fullmatch(r"[a-z]+", word) for word in words.ALL)


@given(st.integers())
def test_names_and_dates_are_single_lines(seed: int) -> None:
    r = Random(seed)
    for text in (names.person(r), names.place(r), names.firm(r), date(r), sentences.sentence(r)):
        assert one_line(text) == text


@given(st.integers(), st.integers(24, 60))
def test_utterances_keep_to_their_length_and_alphabet(seed: int, longest: int) -> None:
    text = utterance(Random(seed), longest)
    assert 4 <= len(text) <= longest
    assert re.fullmatch(r"[a-zéèêëñöøóåïç']+( [a-zéèêëñöøóåïç']+)*", text.lower())
