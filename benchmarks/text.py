"""Text: cleaning lines, reading dumps and books, against plain Python and datatrove doing the same work.

    python -m benchmarks.text --data FOLDER [--megabytes 16] [--rounds 5] [--json]

``FOLDER`` holds Gutenberg books and a MediaWiki dump in any subfolders; they are repeated to the size wanted. What is
compared is checked to be equal, or counted. The first tasks are measured in CPU seconds of one process. The last is
the whole way from JSON lines to committed shards in wall seconds, by ours on a Ray that runs already and by
datatrove's local executor, with as many workers, running the same cleaning document by document.
"""

from __future__ import annotations

import bz2
import io
import json
import logging
import os
import shutil
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.rounds import Row, compare, run
from omni_ray.corpora.base import SourceOptions
from omni_ray.corpora.books import Books
from omni_ray.corpora.wikipedia import Wikipedia
from omni_ray.modalities.lines import one_line, split_line
from omni_ray.modalities.text import Text, TextParams
from omni_ray.sources.bz2_blocks import read_blocks
from omni_ray.sources.tree import FolderTree
from omni_ray.sources.wikitext import Wiki, render
from omni_ray.trainers.lines import MAX_LINE_BYTES

TEXT = Text()
PARAMS = TextParams()


def documents(folder: Path, size: int) -> pa.Table:
    """Gutenberg books as raw rows, repeated up to ``size`` bytes."""
    tree = FolderTree(folder)
    corpus = Books()
    rows = [row for unit in corpus.units(tree, SourceOptions()) for row in corpus.read(tree, unit.payload)]
    books = [row for row in rows if isinstance(row, dict)]
    times = 1 + size // sum(len(book["text"]) for book in books)
    return pa.Table.from_pylist([{**b, "records": 1} for b in books] * times, schema=TEXT.raw_schema)


def per_line(raw: pa.Table) -> pa.Table:
    """The same as ``Text.transform``, a line at a time."""
    out = []
    for row in raw.to_pylist():
        names = {name: row[name] for name in ("title", "url", "lang")}
        for number, piece in enumerate(pieces(row["text"])):
            out.append({"id": f"{row['id']}#{number}", "corpus": "books", "text": piece, **names})
    return pa.Table.from_pylist(out, schema=TEXT.schema)


def pieces(text: str) -> Iterator[str]:
    """The clean lines of one document."""
    for paragraph in text.split("\n"):
        line = one_line(paragraph)
        fits = len(line.encode()) <= PARAMS.max_line_chars
        yield from filter(None, [line] if fits else split_line(line, PARAMS.max_line_chars, MAX_LINE_BYTES))


def wikitexts(folder: Path) -> list[str]:
    """The wikitext of every page of every dump."""
    found = []
    for path in sorted(folder.rglob("*.xml.bz2")):
        root = ElementTree.fromstring(bz2.decompress(path.read_bytes()))
        found += [element.text or "" for element in root.iter() if element.tag.endswith("}text")]
    return found


def strip_code(pages: list[str]) -> int:
    """mwparserfromhell by itself, which leaves headings, captions and link lists in."""
    import mwparserfromhell

    return sum(len(mwparserfromhell.parse(page).strip_code()) for page in pages)


def in_process(folder: Path, megabytes: int, rounds: int) -> list[Row]:
    """Each step by itself, in CPU seconds."""
    raw = documents(folder, megabytes << 20)
    if not TEXT.transform(raw, "books", PARAMS).kept.equals(per_line(raw)):
        raise SystemExit("the two ways to clean lines do not agree")
    pages = wikitexts(folder)
    english = Wiki("en")
    times = 1 + int(1e6) // sum(map(len, pages))
    wiki_size = sum(map(len, pages)) / 1e6
    packed = bz2.compress("".join(raw["text"].to_pylist()).encode())
    unpacked = len(bz2.decompress(packed))
    tree = FolderTree(folder)
    units = list(Wikipedia().units(tree, SourceOptions()))
    tasks: dict[str, tuple[float, dict[str, Callable[[], Any]]]] = {
        "clean and split lines": (
            raw["text"].nbytes / 1e6,
            {"ours": lambda: TEXT.transform(raw, "books", PARAMS), "a line at a time": lambda: per_line(raw)},
        ),
        "wikitext to paragraphs": (
            wiki_size * times,
            {
                "ours": lambda: [render(page, english).paragraphs for page in pages * times],
                "mwparserfromhell strip_code": lambda: strip_code(pages * times),
            },
        ),
        "bzip2 by blocks": (
            unpacked / 1e6,
            {
                "ours": lambda: list(read_blocks(io.BytesIO(packed))),
                "limit: bz2.decompress": lambda: bz2.decompress(packed),
            },
        ),
        "dump to documents": (
            wiki_size,
            {
                "ours": lambda: [list(Wikipedia().read(tree, unit.payload)) for unit in units],
                "mwparserfromhell strip_code": lambda: strip_code(wikitexts(folder)),
                "limit: bz2 and ElementTree": lambda: wikitexts(folder),
            },
        ),
    }
    budgets = {"a line at a time": 5.0, "mwparserfromhell strip_code": 3.0}
    found: list[Row] = []
    for task, (size, sides) in tasks.items():
        found += compare(task, size, "MB", sides, rounds=rounds, clock="cpu", budgets=budgets)
    return found


def to_shards(folder: Path, megabytes: int, rounds: int) -> list[Row]:
    """JSON lines to committed Parquet, in wall seconds."""
    from omni_ray import api

    try:
        from datatrove.executor import LocalPipelineExecutor
        from datatrove.pipeline.base import PipelineStep
        from datatrove.pipeline.readers import JsonlReader
        from datatrove.pipeline.writers import ParquetWriter
    except ImportError:
        print("datatrove is not installed (pip install 'omni-ray[bench]'): left out")
        return []
    from loguru import logger

    logger.remove()
    logging.disable(logging.INFO)
    cpus = len(os.sched_getaffinity(0))
    raw = documents(folder, megabytes << 20)

    class Clean(PipelineStep):  # type: ignore[misc]
        """The same cleaning, a document at a time."""

        name = "clean"

        def run(self, data: Any, rank: int = 0, world_size: int = 1) -> Any:
            for document in data:
                document.text = "\n".join(pieces(document.text))
                yield document

    with tempfile.TemporaryDirectory() as name, api.Cluster(num_cpus=cpus).session():
        here = Path(name)
        (here / "in").mkdir()
        rows = raw.select(["id", "text"]).to_pylist()
        files = 4 * cpus
        for number in range(files):
            with open(here / "in" / f"{number}.jsonl", "w", encoding="utf-8") as file:
                for place, row in enumerate(rows[number::files]):
                    # Documents of a corpus differ; of files that are copies of each other ours reads one.
                    words = row["text"].split(" ")
                    copy = f"{row['id']}-{number}-{place}"
                    Random(copy).shuffle(words)
                    file.write(json.dumps({"id": copy, "text": " ".join(words)}) + "\n")

        def ours() -> None:
            shutil.rmtree(here / "ours", ignore_errors=True)
            report = api.prepare(here / "ours", "text", dataset="text_files", source=str(here / "in"), max_samples=None)
            assert report.summaries[0].kept == len(rows)

        def theirs() -> None:
            shutil.rmtree(here / "theirs", ignore_errors=True)
            LocalPipelineExecutor(
                pipeline=[JsonlReader(str(here / "in")), Clean(), ParquetWriter(str(here / "theirs/out"))],
                tasks=files, workers=cpus, logging_dir=str(here / "theirs/log"), skip_completed=False,
            ).run()  # fmt: skip
            assert sum(pq.read_metadata(path).num_rows for path in (here / "theirs/out").iterdir()) == len(rows)

        sides = {"ours": ours, "datatrove": theirs}
        task = f"JSON lines to clean shards, {cpus} processes"
        return compare(task, raw["text"].nbytes / 1e6, "MB", sides, rounds=rounds, budgets={"datatrove": 3.0})


def rows(data: Path, megabytes: int = 16, rounds: int = 5) -> list[Row]:
    """All of it."""
    return [*in_process(data, megabytes, rounds), *to_shards(data, 4 * megabytes, max(1, rounds // 2))]


if __name__ == "__main__":
    run(rows, __doc__)
