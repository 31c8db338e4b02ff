"""Wikitext to paragraphs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_ray.sources.wikitext import Wiki, is_redirect, render


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("'''Bold''', ''italic'' and '''''both'''''.", ["Bold, italic and both."]),
        ("A [[link]], a [[target|label]], [[plural]]s, a [[Foo#part|part]].", ["A link, a label, plurals, a part."]),
        ("[https://x.org A label], [https://x.org] and https://x.org/y here.", ["A label, and here."]),
        ("[[File:a.jpg|thumb|250px|A [[map]] of {{x}}\nin two lines]] After.", ["After."]),
        ("[[Category:Towns]][[de:Stadt]] See [[:Category:Towns]].", ["See Category:Towns."]),
        ("{{Infobox\n| a = {{b|[[c]]}}\n| d = e\n}}\nText.", ["Text."]),
        ("One<ref>{{cite|title=x|url=https://x}}</ref> two<ref name=a /> three<!-- four -->.", ["One two three."]),
        ('{| class="wikitable"\n! a !! b\n|-\n| c || {{d}}\n{|\n| nested\n|}\n|}\nText.', ["Text."]),
        ("* one\n** two\n# three\n: four\n;Term:meaning", ["one", "two", "three", "four", "Term: meaning"]),
        ("== Head ==\nText.\n=== Sub ===\n----\n__NOTOC__", ["Text."]),
        ("a<br>b<br />c", ["a", "b", "c"]),
        ("<div><p>Inside.</p></div> H<sub>2</sub>O", ["Inside.", "H2O"]),
        ("Area &lt;&nbsp;5&nbsp;km&sup2; &mdash; large &amp; wet", ["Area < 5 km² — large & wet"]),
        ("Where <math>x^{2}=\\pi</math> is <nowiki>plain</nowiki> <nowiki>[[x]]</nowiki>.", ["Where x²=π is plain."]),
        ("'''X''' ({{IPA|x}}; born 1960) is {{convert|5|km|mi}} {{nowrap|off}}.", ["X (born 1960) is 5 km off."]),
        ("'''X''' ({{lang-ru|Икс}}, {{IPA|x}}) and Z ({{IPA|z}}).", ["X (Икс) and Z."]),
        ("L'''ordre'' is the ''first'' '''word'''.", ["L'ordre is the first word."]),
        ("{| never closed\n| cell\nText. {{never closed|x\n| y = z\nMore [[text|here.", ["Text. x", "More here."]),
        ("&ldquo\nAT&T and R&D", ["AT&T and R&D"]),
        ("!Kung is a language.\n| so is this\n---- Foo", ["!Kung is a language.", "so is this", "Foo"]),
        ("The <President> spoke. 1 < 2 and a<b>c</b>", ["The <President> spoke. 1 < 2 and ac"]),
        ("[[Olteni&#355;a]] [[7%25 Solution]] [[Foo & bar]]", ["Olteniţa 7% Solution Foo & bar"]),
        ("A <style>.a{b:c}</style><script>alert(1)</script>B.", ["A B."]),
        ("The {{lang|fr|Ville is nice. It has rivers.\n\nMore.", ["The Ville is nice. It has rivers.", "More."]),
        ("{{Infobox\n| a = b\n| c = d\nText stays.", ["Text stays."]),
        ("''[[Lunar Prospector]]'''s probe\n''foo''''bar''", ["Lunar Prospector's probe", "foo'bar"]),
        ("Where <math>n</math> and <chem>H2O</chem>.", ["Where n and H2O."]),
        (r"If <math>x_1^2 \le \alpha</math> in <math>O(n)</math>, <math>\frac{a}{b}</math>.", ["If x₁² ≤ α in O(n), a/b."]),
        ("[[Foo|http://x.org/]] [http://x.org http://x.org/a.png] ftp://x.org/y.", ["http://x.org/ ."]),
        ("a <br\n> b <div style=\"x:\ny\">c</div>", ["a", "b", "c"]),
        ("[[Foo|a [[Bar]] b]] {{{1|c}}}", ["Foo a Bar b c"]),
    ],
)  # fmt: skip
def test_what_a_reader_sees(source: str, shown: list[str]) -> None:
    assert render(source).paragraphs == shown


def test_link_sections_keep_only_lines_with_prose() -> None:
    source = (
        "Lead.\n== See also ==\n* [[A]]\n* [[B]] was the first of them.\n=== More ===\n* [[C]]\n"
        "== External links ==\n* [https://x.org X]\n* {{Official website}}\n== Later life ==\n[[D]]"
    )
    assert render(source).paragraphs == ["Lead.", "B was the first of them.", "D"]


def test_other_languages_name_their_file_namespace() -> None:
    assert render("[[Plik:a.jpg|mini|Bild]] Text.", Wiki("de", ["Plik"])).paragraphs == ["Text."]


MARKS = [
    *("[[", "]]", "{{", "}}", "{|", "|}", "|", "'''", "''", "'", "<b>", "</b>", "<ref>", "</ref>", "<br>", "<nowiki>"),
    *("</nowiki>", "<!--", "-->", "==", "*", "#", ":", ";", "[http://x", "]", "&amp;", "&#0;", "&#x110000;", "(", ")"),
    *(
        ",",
        "File:",
        "lang|fr|",
        "{{lang|fr|",
        "{{convert|",
        "{{date|",
        "{{formatnum:",
        "{{siglo|",
        "{{val|",
        "\ue000",
        "-{",
        "}-",
        "9" * 5000,
        "__TOC__",
        "<math>",
        "</math>",
        "<div class=x>",
        "-",
        "日本",
        "word",
    ),
]


@given(st.lists(st.sampled_from([*MARKS, "\n", " "]), max_size=40))
def test_no_markup_is_left_and_nothing_is_raised(tokens: list[str]) -> None:
    for text in render("".join(tokens)).paragraphs:
        assert text == text.strip() and "\n" not in text and "  " not in text
        assert not any(mark in text for mark in ("<ref", "__TOC__", "<!--"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "mark",
    [
        "{{a|",
        "[[a|",
        "[[File:",
        "{{a}} ",
        "{{x|\n|",
        "-{",
        "mailto:",
        "http://",
        "[//a ",
        "<table>",
        "{{{a|",
        "==\n=",
        "{|\n",
        '<a b="',
        "<ref>",
        "<b>",
        "'''",
        "[http://a ",
        "{{lang|",
        "&a",
        "(",
    ],
)
def test_hostile_repetition_is_read_in_linear_time(mark: str) -> None:
    # Unclosed, these take the parser alone minutes to hours.
    render(mark * 50_000)


def test_kinds_of_pages() -> None:
    assert is_redirect("#REDIRECT [[Target]]") and is_redirect("#weiterleitung: [[Ziel]]")
    assert not is_redirect("# [[Item]] of a list")
