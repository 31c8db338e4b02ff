"""Cleaning and splitting lines: the batch form equals the plain one, and nothing is lost."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_ray.modalities import lines
from omni_ray.modalities.lines import one_line, one_line_array, split_line

# Characters that the cleaning treats specially, mixed with any others.
SPECIAL = (
    "\x00\x07\t\n\x0b\x0c\r\x1c\x1f \x7f\x85\x9f\xa0\xad\u0301\u0340\u1100\u1161\u2009\u200b"
    "\u2028\u2029\u3000\ufeffé한e"
)
TEXT = st.text(st.one_of(st.sampled_from(SPECIAL), st.characters(exclude_categories=["Cs"])), max_size=60)


@given(st.lists(st.one_of(st.none(), TEXT), max_size=12))
def test_batch_cleaning_equals_the_plain_one(values: list[str | None]) -> None:
    cleaned = one_line_array(pa.array(values, pa.large_string())).to_pylist()
    assert cleaned == [None if value is None else one_line(value) for value in values]


# All scripts but the large plain ones: CJK ideographs, Hangul syllables, private use.
BLOCKS = [(0, 0x3400), (0x9FF0, 0xAC10), (0xD790, 0xD800), (0xF8F0, 0x12000), (0x16A00, 0x17000), (0x1BC00, 0x1F000)]
BLOCKS += [(0x2F800, 0x2FA20), (0xE0000, 0xE0200), (0x10FFF0, 0x110000)]


def test_batch_cleaning_equals_the_plain_one_on_every_character() -> None:
    characters = [chr(c) for start, end in BLOCKS for c in range(start, end)]
    values = [template.replace("?", c) for c in characters for template in ("?", "a?b", "e?\u0323")]
    assert one_line_array(pa.array(values)).to_pylist() == [one_line(value) for value in values]


@pytest.mark.slow
def test_characters_called_stable_are_so_in_pythons_unicode_tables() -> None:
    everything = pa.array([chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000])
    stable = everything.filter(pc.match_substring_regex(everything, rf"[{lines._R_STABLE}]")).to_pylist()
    seconds = {decomposed[-1] for c in range(0x110000) if len(decomposed := _canonical(chr(c))) == 2}
    jamo = {chr(c) for c in range(0x1100, 0x1200)}
    for character in stable:
        assert unicodedata.normalize("NFC", character) == character
        assert unicodedata.combining(character) == 0
        assert character not in seconds | jamo


def _canonical(character: str) -> list[str]:
    parts = unicodedata.decomposition(character).split()
    return [] if parts and parts[0].startswith("<") else [chr(int(part, 16)) for part in parts]


@given(TEXT)
def test_a_clean_line_is_one_line_to_every_reader(text: str) -> None:
    line = one_line(text)
    assert line.splitlines() in ([], [line])
    assert line == line.strip() and "  " not in line and "\0" not in line
    assert one_line(line) == line


@given(st.lists(st.text("ab.!?\"'é日。、", min_size=1, max_size=30), min_size=1), st.integers(8, 80))
def test_pieces_joined_with_spaces_give_back_the_line(words: list[str], budget: int) -> None:
    line = " ".join(words)
    pieces = split_line(line, budget, cap=1000)
    assert "".join(pieces).replace(" ", "") == line.replace(" ", "")
    if not any(mark in line for mark in "。、"):
        assert " ".join(pieces) == line
        # Only a single word may be over the budget.
        assert all(len(piece.encode()) <= budget or " " not in piece for piece in pieces)


@given(st.text("xé日𝄞", min_size=1, max_size=200), st.integers(4, 30))
def test_a_word_over_the_cap_is_cut_between_characters(word: str, cap: int) -> None:
    pieces = split_line(word, cap, cap)
    assert "".join(pieces) == word
    assert all(len(piece.encode()) <= cap for piece in pieces)


@pytest.mark.parametrize(
    ("line", "pieces"),
    [
        ("It rained. We left. Then it stopped.", ["It rained. We left.", "Then it stopped."]),
        ("We met Dr. Smith and J. R. Brown. He left.", ["We met Dr. Smith and J. R. Brown.", "He left."]),
        ("Rain, e.g. a shower, on the U.S. Army.", ["Rain, e.g. a shower,", "on the U.S. Army."]),
        ('He said "Stop!" She did not stop at once.', ['He said "Stop!"', "She did not stop at once."]),
    ],
)
def test_lines_are_cut_between_sentences_where_possible(line: str, pieces: list[str]) -> None:
    assert split_line(line, max(map(len, pieces)), 1000) == pieces


def test_chinese_is_cut_at_its_own_full_stops() -> None:
    line = "我们在雨中走了很远的路。后来雨停了。我们回家。"
    pieces = split_line(line, 40, 1000)
    assert pieces == ["我们在雨中走了很远的路。", "后来雨停了。我们回家。"]
