"""Counting tokens: ours against encoding line by line, and against SentencePiece's own batches, on one core.

    python -m benchmarks.tokens --corpus data/text/production_corpus.txt [--megabytes 32] [--vocab-size 32000]

Every side counts the same lines with the same tokenizer, in turn, several times; CPU seconds of this process are
compared, and the numbers of tokens must be equal. Ours starts each time with nothing learnt, as a fresh worker does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.rounds import Row, compare, run
from omni_ray.trainers.lines import split_lines
from omni_ray.training.counts import CountedSource
from omni_ray.training.tokenizer import TokenizerRequest, train
from omni_ray.training.tokens import TokenCounter

BATCH = 20_000


def rows(corpus: Path, megabytes: int = 32, vocab_size: int = 32_000, rounds: int = 3) -> list[Row]:
    """Tokens a CPU second of each side."""
    with open(corpus, "rb") as file:
        lines = [line for line in split_lines(file.read(megabytes * 1_000_000)) if line.strip()]
    trained = train(TokenizerRequest(CountedSource("text", str(corpus)), vocab_size))
    processor = TokenCounter(trained.model).processor
    batches = [lines[start : start + BATCH] for start in range(0, len(lines), BATCH)]

    def by_line() -> int:
        return sum(len(processor.encode(line)) for line in lines)

    def by_batch() -> int:
        return sum(len(ids) for batch in batches for ids in processor.encode(batch, num_threads=1))

    def ours() -> int:
        counter = TokenCounter(trained.model)
        return sum(int(counter.count(batch).sum()) for batch in batches)

    sides: dict[str, Callable[[], int]] = {
        "ours": ours,
        "encode, line by line": by_line,
        "encode, in batches": by_batch,
    }
    counted = {side() for side in sides.values()}
    if len(counted) != 1:
        raise SystemExit(f"the sides disagree: {sorted(counted)} tokens")
    task = f"count tokens of {sum(map(len, lines)) / 1e6:.0f} MB, {trained.pieces:,} pieces"
    return compare(
        task, counted.pop(), "tokens", sides, rounds=rounds, clock="cpu", warm_up=False,
        budgets={"encode, line by line": 3.0},
    )  # fmt: skip


if __name__ == "__main__":
    run(rows, __doc__)
