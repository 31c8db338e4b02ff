"""Large files of text as people pack them: into how many units they are cut, and what the driver and a worker hold of them.

    python -m benchmarks.packed --make 300 /tmp/packed
    python -m benchmarks.packed /tmp/packed/*

The first makes sources of so many MB, as they lie: JSON Lines in xz, in zstd, and in gzip within a zip; lines in UTF-16 in gzip. The
second indexes each in a process of its own and reads its first eight units in another, as a worker does, holding one at a time.
"""

from __future__ import annotations

import argparse
import gzip
import json
import lzma
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

from benchmarks.rounds import apart, peak
from omni_ray.corpora.text_files import TextFiles
from omni_ray.records import Rejected, SourceOptions
from omni_ray.sources import open_spec, open_tree

_UNITS = 8
_LINES = 1000


def _blocks() -> Iterator[list[str]]:
    """Lines of made-up words, which pack to half."""
    r = Random(1)
    words = ["".join(r.choices("abcdefghijklmnopqrstuvwxyz", k=r.randint(2, 11))) for _ in range(30_000)]
    while True:
        yield [" ".join(r.choices(words, k=120)) for _ in range(_LINES)]


def _rows(lines: list[str]) -> bytes:
    return "".join(json.dumps({"text": line}) + "\n" for line in lines).encode()


def _filled(path: Path, open_packed: Callable[[Path], Any], made: Callable[[list[str]], bytes], size: int) -> None:
    path.parent.mkdir(parents=True)
    with open_packed(path) as out:
        for lines in _blocks():
            out.write(made(lines))
            if path.stat().st_size >= size:
                return


def make(folder: Path, size: int) -> None:
    """The sources, each in a folder of its own."""
    _filled(folder / "xz" / "a.jsonl.xz", partial(lzma.open, mode="wb", preset=0), _rows, size)
    _filled(folder / "zst" / "a.jsonl.zst", lambda path: pa.CompressedOutputStream(str(path), "zstd"), _rows, size)
    packed = folder / "zip" / "a.jsonl.gz"
    _filled(packed, partial(gzip.open, mode="wb", compresslevel=1), _rows, size)
    with zipfile.ZipFile(folder / "zip" / "a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(packed, packed.name)
    packed.unlink()
    _filled(
        folder / "utf16" / "a.txt.gz",
        partial(gzip.open, mode="wb", compresslevel=1),
        lambda lines: "".join(f"{line}\n" for line in lines).encode("utf-16-le"),
        size,
    )


def index(source: str, cache: Path) -> dict[str, Any]:
    """As the driver does; the units go to a file for :func:`read`."""
    began = time.perf_counter()
    tree = open_tree(source, cache)
    units = [unit.payload for unit in TextFiles().units(tree, SourceOptions())]
    (cache / "units.json").write_text(json.dumps([{**tree.spec(), "points": str(cache)}, units]))
    return {"units": len(units), "MiB": peak(), "s": time.perf_counter() - began}


def read(cache: Path) -> dict[str, Any]:
    """As a worker does."""
    spec, units = json.loads((cache / "units.json").read_text())
    tree, rows, longest = open_spec(spec), 0, 0.0
    for payload in units[:_UNITS]:
        began = time.perf_counter()
        held = [item for item in TextFiles().read(tree, payload) if not isinstance(item, Rejected)]
        rows += sum(len(item) if isinstance(item, pa.Table) else 1 for item in held)
        longest = max(longest, time.perf_counter() - began)
    return {"rows": rows, "MiB": peak(), "longest unit, s": longest}


def main(argv: Sequence[str] | None = None) -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="+", help="Folders with text files of one's own.")
    parser.add_argument("--make", type=int, metavar="MB", help="Make the sources in the folder that is given.")
    options = parser.parse_args(argv)
    if options.make:
        make(Path(options.source[0]), options.make * 1_000_000)
        return
    for source in options.source:
        with tempfile.TemporaryDirectory() as cache:
            print(json.dumps({"source": source, "part": "driver", **apart(index, source, Path(cache))}))
            print(json.dumps({"source": source, "part": "worker", **apart(read, Path(cache))}))


if __name__ == "__main__":
    main()
