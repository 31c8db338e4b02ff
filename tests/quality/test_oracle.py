"""The heuristics against datatrove's, and the words against spaCy's, on the same real documents."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from omni_ray.quality.documents import Documents
from omni_ray.quality.rules import Rule
from omni_ray.quality.text_rules import TEXT_RULES
from omni_ray.quality.words import cut_chunk
from tests.quality.conftest import documents_of

pytest.importorskip("spacy", reason="the oracle: pip install 'omni-ray[oracle]'")
filters = pytest.importorskip("datatrove.pipeline.filters", reason="the oracle: pip install 'omni-ray[oracle]'")

SAMPLE = 350


def kept_by(docs: Documents, prefixes: tuple[str, ...]) -> np.ndarray:
    rules = [r for r in TEXT_RULES if isinstance(r, Rule) and r.unit == "document" and r.name.startswith(prefixes)]
    assert rules
    return ~np.any([rule.removes(rule.measure(docs)) for rule in rules], axis=0)


@pytest.mark.parametrize(
    ("theirs", "prefixes"),
    [
        ("GopherQualityFilter", ("gopher_m", "gopher_w", "gopher_h", "gopher_e", "gopher_b", "gopher_l", "gopher_s")),
        ("GopherRepetitionFilter", ("gopher_r", "gopher_t")),
        ("FineWebQualityFilter", ("fineweb_",)),
    ],
)
def test_verdicts_are_datatroves(real_documents: list[list[str]], theirs: str, prefixes: tuple[str, ...]) -> None:
    from datatrove.data import Document

    sample = real_documents[:: len(real_documents) // SAMPLE]
    judge = getattr(filters, theirs)()
    verdicts = [judge.filter(Document(text="\n".join(d), id="")) is True for d in sample]
    ours = kept_by(documents_of(sample), prefixes)
    assert ours.tolist() == verdicts
    assert 0.1 < np.mean(verdicts) < 0.99, "the sample must hold both kinds"


def test_c4_keeps_the_lines_that_datatrove_keeps(
    real_documents: list[list[str]], table_of: Callable[..., object]
) -> None:
    from datatrove.data import Document

    from omni_ray.quality.clean import clean_table

    sample = [
        *real_documents[:: len(real_documents) // SAMPLE],
        ["A first sentence stands here. And a second one?", "JavaScript must be on in your browser.", "x"],
        [
            "One sentence is here. Two are here. Three are here.",
            "See our Privacy Policy for more.",
            "Four here. Five here.",
        ],
        ["Text by a generator: Lorem Ipsum dolor. A b c. D e f. G h i. J k l."],
        ["if (x) { return 1; } A b c d. D e f g. G h i j. J k l m. N o p q."],
        [
            "The town has 400 people.[12] It lies low.[edit] Nobody knows why.[citation needed] It rains. It pours daily."
        ],
        ['It costs $3.50 in the U.S. or so. Dr. No said so! Did he? "Yes." He did... Well, e.g. this one is long.'],
    ]
    judge = filters.C4QualityFilter()
    expected = []
    for number, lines in enumerate(sample):
        document = Document(text="\n".join(lines), id=str(number))
        if judge.filter(document) is True:
            expected.append((number, [" ".join(line.split()) for line in document.text.split("\n")]))
    overrides = {rule.name: rule.name.startswith("c4_") for rule in TEXT_RULES}
    kept = clean_table(table_of(sample), "text", "off", overrides).kept
    ours: dict[int, list[str]] = {}
    for name, line in zip(kept["id"].to_pylist(), kept["text"].to_pylist(), strict=True):
        ours.setdefault(int(name.split("-")[1].split("#")[0]), []).append(line)
    assert list(ours.items()) == expected
    assert 10 < len(expected) < len(sample)


def test_words_are_spacys(real_documents: list[list[str]]) -> None:
    import spacy

    tokenizer = spacy.blank("en")
    chunks = sorted({chunk for d in real_documents for line in d for chunk in line.split()})[::7]
    differing = [c for c in chunks if list(cut_chunk(c)) != [t.text for t in tokenizer(c) if t.text.strip()]]
    assert len(differing) <= len(chunks) // 1000, differing[:20]
