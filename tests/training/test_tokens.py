"""Counting gives what encoding gives, to the token."""

from __future__ import annotations

import io
import json
import random
from functools import cache

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_ray.errors import OmniError
from omni_ray.training.tokens import TokenCounter
from tests.examples import examples

TEXT = [
    "The cat sat on the mat. Hello world, how are you?",
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich — “quoted” ﬁne ½ ①",
    "机器学习很有趣。这是一个例子。",
    "Съешь же ещё этих мягких французских булок, да выпей чаю",
] * 4


def model(**options: object) -> bytes:
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        **{
            "sentence_iterator": iter(TEXT), "model_writer": out, "model_type": "bpe", "vocab_size": 300,
            "character_coverage": 1.0, "minloglevel": 2, **options,
        }
    )  # fmt: skip
    return out.getvalue()


@cache
def cached_model(options: str) -> bytes:
    return model(**json.loads(options))


BPE = model()
COUNTER = TokenCounter(BPE)
PROCESSOR = sentencepiece.SentencePieceProcessor(model_proto=BPE)
# Letters of the corpus, unknown ones, every kind of space, marks that combine, and the word mark itself.
PIECES = st.sampled_from(
    ["the", "cat", "ü", "机器", "Ω", "🙂", " ", "  ", "\t", "\u00a0", "\u3000", "\u0301", "´", "ﬁ", "½", "▁", "▁▁",
     "\u200b", "\x00", ".", "—", "e\u0301", "\u1100\u1161", "<s>", "<unk>"]
)  # fmt: skip
LINES = st.lists(st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text(max_size=40)), max_size=12)


def expected(processor: sentencepiece.SentencePieceProcessor, lines: list[str]) -> list[int]:
    return [len(processor.encode(line)) for line in lines]


@pytest.mark.slow
@settings(max_examples=examples(400), deadline=None)
@given(LINES)
def test_any_text(lines: list[str]) -> None:
    assert COUNTER.count(lines).tolist() == expected(PROCESSOR, lines)


def test_real_books(books: list[str]) -> None:
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(books), model_writer=out, model_type="bpe", vocab_size=8000, character_coverage=1.0,
        minloglevel=2,
    )  # fmt: skip
    counter = TokenCounter(out.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    shuffled = random.Random(1).sample(books, len(books))
    assert counter.count(shuffled).tolist() == expected(processor, shuffled)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"model_type": "unigram", "vocab_size": 100},
        {"add_dummy_prefix": False},
        {"remove_extra_whitespaces": False},
        {"treat_whitespace_as_suffix": True},
        {"split_by_whitespace": False},
        {"normalization_rule_name": "nmt_nfkc_cf"},
        {"normalization_rule_name": "identity"},
        {"byte_fallback": True, "vocab_size": 500},
        {"user_defined_symbols": ["<sep>", "cat"]},
    ],
    ids=str,
)
@settings(max_examples=examples(60), deadline=None)
@given(LINES)
def test_tokenizers_of_other_kinds(options: dict[str, object], lines: list[str]) -> None:
    made = cached_model(json.dumps(options))
    assert TokenCounter(made).count([*TEXT, *lines]).tolist() == expected(
        sentencepiece.SentencePieceProcessor(model_proto=made), [*TEXT, *lines]
    )


def test_long_words_are_not_remembered() -> None:
    counter = TokenCounter(BPE)
    lines = ["a" * 5000, "b" * 5000 + " cat", "cat"]
    assert counter.count(lines).tolist() == expected(PROCESSOR, lines)
    assert counter.count(lines).tolist() == expected(PROCESSOR, lines)


def test_nothing() -> None:
    assert COUNTER.count([]).tolist() == []
    assert COUNTER.count(["", " "]).tolist() == [0, 0]


def test_not_a_tokenizer() -> None:
    with pytest.raises(OmniError, match="not a SentencePiece model"):
        TokenCounter(b"junk")
