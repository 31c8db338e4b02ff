"""Held-out groups never leak; packed lines never cross documents."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_ray.errors import OmniError
from omni_ray.materialize.pack import pack_rows
from omni_ray.modalities.hold_out import held_out
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.training.tokens import TokenCounter
from tests.examples import examples
from tests.quality.conftest import text_table

Table = Callable[..., pa.Table]


def group_keys(rows: pa.Table, modality: str, *, by_clip: bool = False) -> list[str]:
    return modality_of(modality).group_keys(rows, by_row=by_clip).to_pylist()  # type: ignore[no-any-return]


def test_documents_stay_together(table_of: Table) -> None:
    table = table_of([[f"line {n} of {d}" for n in range(7)] for d in range(2000)])
    keys = group_keys(table, "text")
    out = held_out(keys, 0.05)
    sides = dict(zip(keys, out.tolist(), strict=True))
    assert all(sides[key] == side for key, side in zip(keys, out.tolist(), strict=True))
    assert 0.03 < out.mean() < 0.07
    assert held_out(keys[::-1], 0.05)[::-1].tolist() == out.tolist(), "order does not matter"
    assert (held_out(keys, 0.1) >= out).all(), "a larger share holds the smaller"
    assert not held_out(keys, 0.0).any()


def test_groups_of_each_modality(table_of: Table) -> None:
    clips = ["a.flac", "talk-0.000-1.500.flac", "talk-1.500-12.250.flac", "b.flac"]
    open_ended = ["talk-12.250-end.flac", "talk-0.000-1.500-2.flac", "talk-12.250-end-left-0123456789.flac"]
    cut = pa.table({
        "corpus": ["x"] * 3, "speaker": pa.nulls(3, pa.string()),
        "audio": [{"bytes": b"", "path": path} for path in open_ended],
    })  # fmt: skip
    assert group_keys(cut, "audio") == ["x\0talk"] * 3, "cut to its end, and one side of two"
    audio = pa.table({
        "id": ["a", "b", "c", "d"], "corpus": ["x", "x", "x", "y"], "speaker": ["s", None, None, "s"],
        "audio": [{"bytes": path[:1].encode(), "path": path} for path in clips],
    })  # fmt: skip
    assert group_keys(audio, "audio") == ["x\0s", "x\0talk", "x\0talk", "y\0s"]
    whole = audio.set_column(2, "speaker", pa.array([None, " ", None, "s"]))
    first, *_ = alone = group_keys(whole, "audio")
    assert alone[1:] == ["x\0talk", "x\0talk", "y\0s"] and first == group_keys(audio, "audio", by_clip=True)[0]
    by_clip = group_keys(audio, "audio", by_clip=True)
    assert by_clip[1] == by_clip[2] and len(set(by_clip)) == 3, "the same bytes are the same clip"
    paths = ["img/p1/w1.jpg", "img/p1/w_2.jpg", "a/b/1_word_2.jpg"]
    words = pa.table({
        "id": ["w1", "w/2", "a/b/1_word_2"], "corpus": ["x"] * 3, "image": [{"bytes": b"", "path": p} for p in paths],
    })  # fmt: skip
    *cut, alone = group_keys(words, "ocr")
    assert cut == ["x\0img/p1", "x\0img/p1"] and alone not in cut
    assert group_keys(words, "images") == [alone] * 3, "whatever corpus or file a picture lies in"
    one, same, other, *again = group_keys(table_of([["l", "m"], ["lm"], ["l", "m"]]), "text")
    assert one == same and other != one and again == [one, one], "a document is its lines, whatever it is called"


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 2])
def test_wrong_fractions(fraction: float) -> None:
    with pytest.raises(OmniError, match="holdout"):
        held_out(["a"], fraction)


def words(texts: list[str]) -> list[int]:
    return [len(text.split()) for text in texts]


line = st.lists(st.sampled_from(["a", "bb", "c"]), min_size=1, max_size=9).map(" ".join)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.lists(line, min_size=1, max_size=6), max_size=5), st.integers(2, 12))
def test_packing_loses_nothing(documents: list[list[str]], window: int) -> None:
    table = text_table(documents)
    packed, _ = pack_rows(table, words, window)
    for number, lines in enumerate(documents):
        mine = [r for r in packed.to_pylist() if r["id"].startswith(f"made-{number}#")]
        assert " ".join(r["text"] for r in mine) == " ".join(lines)
        assert mine[0]["id"].endswith("#0")
        for row, following in pairwise(mine):
            assert row["tokens"] + words([following["text"].split(" ")[0]])[0] <= row["tokens"] + following["tokens"]
            assert row["tokens"] < window or row["text"] in lines
    assert all(words([r["text"]]) == [r["tokens"]] for r in packed.to_pylist())


def test_packing_with_a_real_tokenizer(real_documents: list[list[str]], table_of: Table, tmp_path: Path) -> None:
    import sentencepiece

    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(line for d in real_documents[:400] for line in d))
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(tmp_path / "tokenizer"), vocab_size=1000, model_type="bpe", minloglevel=2,
        character_coverage=1.0,
    )  # fmt: skip
    counter = TokenCounter((tmp_path / "tokenizer.model").read_bytes())

    def count(texts: list[str]) -> list[int]:
        return counter.count(texts).tolist()

    table = table_of(real_documents[:200])
    packed, _ = pack_rows(table, count, 512)
    tokens = packed["tokens"].to_numpy()
    assert tokens.tolist() == count(packed["text"].to_pylist()), "the sum of the lines' tokens is the joined line's"
    alone = set(table["text"].to_pylist())
    assert all(t < 512 or text in alone for t, text in zip(tokens, packed["text"].to_pylist(), strict=True))
    assert packed.num_rows < table.num_rows / 4 and np.median(tokens) > 100
