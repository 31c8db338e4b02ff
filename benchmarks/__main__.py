"""Every benchmark, one after the other: about fifteen minutes on two cores that have nothing else to do.

    python -m benchmarks --data FOLDER [--only text images ...] [--text FILE] [--output results.json]

``FOLDER`` holds real corpora in their native layouts, whichever there are: Gutenberg books and a MediaWiki dump,
COCO, LibriSpeech or LJSpeech. What is small is repeated, as each benchmark says. ``--text`` is a file of at least
30 MB of real text for counting tokens, which repeated text would make too easy; without it the books are used, once.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks import audio, combine, duplicates, engine, images, text, text_quality, tokens
from benchmarks.rounds import Row, machine, show


def of_tokens(options: argparse.Namespace) -> list[Row]:
    """Of the text that is given, else of the books, each line once."""
    if options.text:
        return tokens.rows(options.text, rounds=options.rounds)
    lines = text.TEXT.transform(text.documents(options.data, 0), "books", text.PARAMS).kept["text"].to_pylist()
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".txt") as file:
        file.writelines(f"{line}\n" for line in dict.fromkeys(lines))
        file.flush()
        return tokens.rows(Path(file.name), rounds=options.rounds)


SECTIONS: dict[str, Callable[[argparse.Namespace], list[Row]]] = {
    "text": lambda options: text.rows(options.data, rounds=options.rounds),
    "quality": lambda options: text_quality.rows(options.data / "books", rounds=options.rounds),
    "duplicates": lambda options: duplicates.rows(options.data / "books"),
    "tokens": of_tokens,
    "images": lambda options: images.rows(options.data, count=1536, rounds=options.rounds),
    "audio": lambda options: audio.rows(options.data, count=768, rounds=options.rounds),
    "combine": lambda options: combine.rows(rounds=options.rounds),
    "engine": lambda options: engine.rows(20, min(2, options.rounds)),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run the sections asked for; print a table after each, so that an interrupted run was not for nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--text", type=Path)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="every round of every side, as JSON")
    options = parser.parse_args(argv)
    found: dict[str, list[Row]] = {}
    print(json.dumps(machine()))
    for name in options.only:
        started = time.perf_counter()
        found[name] = SECTIONS[name](options)
        print(f"\n## {name}\n")
        show(found[name])
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        if options.output:
            rows = {name: [asdict(row) for row in rows] for name, rows in found.items()}
            options.output.write_text(json.dumps({"machine": machine(), "sections": rows}, indent=1))


if __name__ == "__main__":
    main()
