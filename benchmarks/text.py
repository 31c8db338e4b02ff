"""Text: cleaning lines, reading dumps and books, against plain Python doing the same work, in one process each.

    python -m benchmarks.text --data FOLDER [--megabytes 16] [--rounds 5] [--json]

``FOLDER`` holds Gutenberg books and a MediaWiki dump in any subfolders; they are repeated to the size wanted. Both
sides run alternately, in CPU seconds of this process; what is compared is checked to be equal, or counted.
"""

from __future__ import annotations

import argparse
import bz2
import io
import json
import statistics
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from omni_ray.corpora.base import Options
from omni_ray.corpora.books import Books
from omni_ray.corpora.wikipedia import Wikipedia
from omni_ray.modalities.lines import one_line, split_line
from omni_ray.modalities.text import MAX_LINE_BYTES, Text, TextParams
from omni_ray.sources.bz2_blocks import read_blocks
from omni_ray.sources.tree import FolderTree
from omni_ray.sources.wikitext import paragraphs

TEXT = Text()
PARAMS = TextParams()


def documents(folder: Path, size: int) -> pa.Table:
    """Gutenberg books as raw rows, repeated up to ``size`` bytes."""
    tree = FolderTree(folder)
    corpus = Books()
    rows = [row for unit in corpus.units(tree, Options()) for row in corpus.read(tree, unit.payload)]
    books = [row for row in rows if isinstance(row, dict)]
    times = 1 + size // sum(len(book["text"]) for book in books)
    return pa.Table.from_pylist([{**b, "records": 1} for b in books] * times, schema=TEXT.raw_schema)


def per_line(raw: pa.Table) -> pa.Table:
    """The same as ``Text.transform``, a line at a time."""
    out = []
    for row in raw.to_pylist():
        number = 0
        for paragraph in row["text"].split("\n"):
            line = one_line(paragraph)
            fits = len(line.encode()) <= PARAMS.max_line_chars
            for piece in [line] if fits else split_line(line, PARAMS.max_line_chars, MAX_LINE_BYTES):
                if piece:
                    names = {name: row[name] for name in ("title", "url", "lang")}
                    out.append({"id": f"{row['id']}#{number}", "corpus": "books", "text": piece, **names})
                    number += 1
    return pa.Table.from_pylist(out, schema=TEXT.schema)


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


def alternate(sides: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each side, in ``rounds`` rounds that take turns."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            start = time.process_time()
            run()
            seconds[name].append(time.process_time() - start)
    return seconds


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--megabytes", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    raw = documents(args.data, args.megabytes << 20)
    if not TEXT.transform(raw, "books", PARAMS).kept.equals(per_line(raw)):
        raise SystemExit("the two ways to clean lines do not agree")
    size = raw["text"].nbytes / 1e6
    pages = wikitexts(args.data)
    times = 1 + int(1e6) // sum(map(len, pages))
    wiki_size = times * sum(map(len, pages)) / 1e6
    packed = bz2.compress("".join(raw["text"].to_pylist()).encode())
    unpacked = len(bz2.decompress(packed))
    tree = FolderTree(args.data)
    units = list(Wikipedia().units(tree, Options()))

    measured = {
        "clean and split lines": (
            size,
            {"ours": lambda: TEXT.transform(raw, "books", PARAMS), "a line at a time": lambda: per_line(raw)},
        ),
        "wikitext to paragraphs": (
            wiki_size,
            {"ours": lambda: [paragraphs(p) for p in pages * times], "strip_code": lambda: strip_code(pages * times)},
        ),
        "bzip2 by blocks": (
            unpacked / 1e6,
            {"ours": lambda: list(read_blocks(io.BytesIO(packed))), "bz2.decompress": lambda: bz2.decompress(packed)},
        ),
        "dump to documents": (
            sum(map(len, pages)) / 1e6,
            {"ours": lambda: [list(Wikipedia().read(tree, unit.payload)) for unit in units]},
        ),
    }
    report = []
    for what, (megabytes, sides) in measured.items():
        for side, seconds in alternate(sides, args.rounds).items():
            rates = [megabytes / s for s in seconds]
            report.append(
                {"what": what, "side": side, "MB/s": statistics.median(rates), "low": min(rates), "high": max(rates)}
            )
    if args.json:
        print(json.dumps(report, indent=1))
        return
    for row in report:
        print(f"{row['what']:24} {row['side']:18} {row['MB/s']:8.1f} MB/s ({row['low']:.1f} to {row['high']:.1f})")


if __name__ == "__main__":
    main()
