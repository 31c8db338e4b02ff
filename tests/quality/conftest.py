"""Documents for the quality tests: made by hand, and of the real corpora."""

from __future__ import annotations

import bz2
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from omni_ray.modalities.lines import one_line
from omni_ray.quality.documents import Documents

PROSE = (
    "The ship lay at anchor in the bay, and the crew went ashore to look for water. They found a spring behind the "
    "dunes, clear and cold, with birch trees standing around it. Nobody had been there before them, or so it seemed. "
    "By evening the casks were full. The captain, who had feared the worst, gave every man a second cup of wine, and "
    "they sang until the moon was high over the hills that we could see from the deck."
)


def documents_of(documents: list[list[str]]) -> Documents:
    starts = np.cumsum([0, *(len(d) for d in documents)])[:-1]
    return Documents(pa.array([line for d in documents for line in d], pa.large_string()), starts)


def text_table(documents: list[list[str]], corpus: str = "made", lang: str | None = None) -> pa.Table:
    lines = [(f"{corpus}-{d}#{n}", line) for d, lines in enumerate(documents) for n, line in enumerate(lines)]
    return pa.table(
        {
            "id": pa.array([name for name, _ in lines], pa.string()),
            "corpus": pa.array([corpus] * len(lines), pa.string()),
            "text": pa.array([line for _, line in lines], pa.large_string()),
            "lang": pa.array([lang] * len(lines), pa.string()),
        }
    )


@pytest.fixture(scope="session")
def table_of() -> Callable[..., pa.Table]:
    return text_table


@pytest.fixture(scope="session")
def real_documents(all_corpora: list[Path]) -> list[list[str]]:
    """Some 370 documents of 1 to 25 lines of books and wiki pages, some with lines said twice; 1,900 with more corpora."""
    chooser = random.Random(1)
    lines: list[str] = []
    for root in all_corpora:
        books = [path.read_text("utf-8", "replace") for path in sorted((root / "books").rglob("*.txt"))]
        wiki = bz2.decompress((root / "wikipedia/enwiki-latest-pages-articles.xml.bz2").read_bytes()).decode()
        lines += [line for text in books for line in filter(None, map(one_line, text.split("\n")))][:12_000]
        lines += [*filter(None, map(one_line, wiki.split("\n")))][:6_000]
    documents = []
    start = 0
    while start < len(lines):
        count = chooser.choice([1, 3, 8, 15, 18, 25])
        documents.append(lines[start : start + count])
        start += count
    for number in range(0, len(documents), 17):
        known = documents[number]
        documents[number] = known + chooser.choices(known, k=chooser.randint(1, len(known)))
    return documents
