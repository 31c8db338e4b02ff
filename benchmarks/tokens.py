"""Counting tokens: ours against encoding line by line, and against SentencePiece's own batches, on one core.

    python -m benchmarks.tokens --corpus data/text/production_corpus.txt [--megabytes 32] [--vocab-size 32000]

Every side counts the same lines with the same tokenizer, in turn, several times; CPU seconds of this process are
compared, and the numbers of tokens must be equal. Ours starts each time with nothing learnt, as a fresh worker does.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

from omni_ray.training.counts import Source, split_lines
from omni_ray.training.tokenizer import Request, train
from omni_ray.training.tokens import TokenCounter

BATCH = 20_000


def main() -> None:
    """Print one JSON object: MB/s of each side and the ratio of the best times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True, help="a text file, one sample a line")
    parser.add_argument("--megabytes", type=int, default=32, help="how much of it to count, from its start")
    parser.add_argument("--vocab-size", type=int, default=32_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with open(options.corpus, "rb") as file:
        lines = [line for line in split_lines(file.read(options.megabytes * 1_000_000)) if line.strip()]
    megabytes = sum(len(line.encode()) + 1 for line in lines) / 1e6
    trained = train(Request(Source("text", str(options.corpus)), options.vocab_size))
    processor = TokenCounter(trained.model).processor

    def by_line() -> int:
        return sum(len(processor.encode(line)) for line in lines)

    def by_batch() -> int:
        return sum(len(ids) for batch in batches() for ids in processor.encode(batch, num_threads=1))

    def by_word() -> int:
        counter = TokenCounter(trained.model)
        return sum(int(counter.count(batch).sum()) for batch in batches())

    def batches() -> list[list[str]]:
        return [lines[start : start + BATCH] for start in range(0, len(lines), BATCH)]

    sides: dict[str, Callable[[], int]] = {"line by line": by_line, "batches": by_batch, "ours": by_word}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    tokens = set()
    for _ in range(options.rounds):
        for name, side in sides.items():
            start = time.process_time()
            tokens.add(side())
            seconds[name].append(time.process_time() - start)
    if len(tokens) != 1:
        raise SystemExit(f"the sides disagree: {sorted(tokens)} tokens")
    best = {name: min(each) for name, each in seconds.items()}
    result = {
        "lines": len(lines),
        "megabytes": round(megabytes, 1),
        "tokens": tokens.pop(),
        "pieces": trained.pieces,
        "megabytes_per_cpu_second": {name: round(megabytes / each, 2) for name, each in best.items()},
        "times_line_by_line": round(best["line by line"] / best["ours"], 2),
        "times_batches": round(best["batches"] / best["ours"], 2),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
