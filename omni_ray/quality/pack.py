"""Packing: neighbouring lines of a document become one, up to the length the trainer reads.

The text trainer reads ``ctx_len - 1`` tokens of a line and pads the rest: short lines waste most of every batch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from omni_ray.errors import OmniError
from omni_ray.quality.documents import document_starts

Counter = Callable[[list[str]], list[int]]


def sentencepiece_counter(model_file: str) -> Counter:
    """A function that counts the tokens of every text, with a SentencePiece model. Raises OmniError where it is none."""
    import sentencepiece

    try:
        processor = sentencepiece.SentencePieceProcessor(model_file=model_file)
    except (OSError, RuntimeError) as error:
        raise OmniError(f"{model_file}: not a SentencePiece model; train one with omni-ray plan") from error
    return lambda texts: [len(tokens) for tokens in processor.encode(texts)]


def pack_table(rows: pa.Table, count_tokens: Counter, ctx_len: int) -> pa.Table:
    """Join neighbouring lines of each document with a blank, for as long as they fit the trainer's window.

    A line that does not fit by itself stays as it is; nothing is split, and nothing crosses documents. SentencePiece models
    split at blanks (as their default, and the trainers', is), so that a joined line has the sum of its lines' tokens.

    Args:
        rows: text shard rows, whole documents.
        count_tokens: tokens of each text of a list.
        ctx_len: the trainer's window; it holds a start token and ``ctx_len - 1`` others.

    Returns:
        Rows of the same columns; a joined row has the first line's id and other columns, and ``tokens`` (int32) is set.

    Raises:
        OmniError: ``ctx_len`` is under 2.
    """
    if ctx_len < 2:
        raise OmniError(f"ctx_len {ctx_len}: a window holds a start token and at least one more")
    lines = rows["text"].to_pylist()
    counts = count_tokens(lines) if lines else []
    is_start = np.zeros(rows.num_rows, bool)
    is_start[document_starts(rows["id"])] = True
    firsts: list[int] = []
    totals: list[int] = []
    for row, (count, begins) in enumerate(zip(counts, is_start.tolist(), strict=True)):
        if not begins and totals[-1] + count <= ctx_len - 1:
            totals[-1] += count
        else:
            firsts.append(row)
            totals.append(count)
    ends = [*firsts[1:], rows.num_rows] if firsts else []
    joined = [" ".join(lines[start:end]) for start, end in zip(firsts, ends, strict=True)]
    packed = rows.take(pa.array(firsts, pa.int64()))
    place = packed.column_names.index("text")
    packed = packed.set_column(place, packed.schema.field(place), pa.array(joined, packed.schema.field(place).type))
    tokens = pa.array(totals, pa.int32())
    if "tokens" in packed.column_names:
        return packed.set_column(packed.column_names.index("tokens"), "tokens", tokens)
    return packed.append_column("tokens", tokens)
