"""Text heuristics and MinHash beside datatrove's: documents per CPU second, and whether the verdicts agree.

    python -m benchmarks.text_quality --source ../shared/data/books --documents 1500

Both sides get the same documents of about 188 words in lines of 14. Ours runs on whole Arrow columns, datatrove's document
by document, as each is made to be run. Ours is measured twice: cold (no chunk of text seen before) and warm (as in the
later shards of a job). Each filter is timed by itself, with its own split into words, as datatrove's is.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from omni_ray.modalities.lines import one_line
from omni_ray.quality.documents import Documents
from omni_ray.quality.minhash import MinHash, band_keys, signatures
from omni_ray.quality.rules import Rule
from omni_ray.quality.text_rules import TEXT_RULES
from omni_ray.quality.words import cut_chunk

WORDS, PER_LINE = 188, 14
FILTERS = {
    "gopher_quality": ("GopherQualityFilter", ("gopher_m", "gopher_w", "gopher_h", "gopher_e", "gopher_b", "gopher_l", "gopher_s")),
    "gopher_repetition": ("GopherRepetitionFilter", ("gopher_r", "gopher_t")),
    "fineweb": ("FineWebQualityFilter", ("fineweb_",)),
}  # fmt: skip


def read(source: Path, count: int) -> list[list[str]]:
    """``count`` documents of the files' words; every fifth repeats a line, every seventh is cut short."""
    words: list[str] = []
    for path in sorted(source.rglob("*.txt")):
        words += one_line(path.read_text("utf-8", "replace")).split(" ")
    made = []
    for number in range(min(count, len(words) // WORDS)):
        mine = words[number * WORDS : (number + 1) * WORDS]
        lines = [" ".join(mine[n : n + PER_LINE]) for n in range(0, WORDS, PER_LINE)]
        if number % 5 == 0:
            lines += [lines[3]] * (number % 7)
        made.append(lines[:3] if number % 7 == 0 else lines)
    return made


def columns(documents: list[list[str]]) -> Documents:
    starts = np.cumsum([0, *(len(d) for d in documents)])[:-1]
    return Documents(pa.array([line for d in documents for line in d], pa.large_string()), starts)


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def judge(documents: list[list[str]], prefixes: tuple[str, ...]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    docs = columns(documents)
    rules = [r for r in TEXT_RULES if isinstance(r, Rule) and r.unit == "document" and r.name.startswith(prefixes)]
    removed: np.ndarray[Any, np.dtype[np.bool_]] = np.any([rule.removes(rule.measure(docs)) for rule in rules], axis=0)
    return ~removed


def all_heuristics(documents: list[list[str]]) -> None:
    docs = columns(documents)
    for rule in TEXT_RULES:
        if isinstance(rule, Rule):
            rule.removes(rule.measure(docs))


def sign(documents: list[list[str]]) -> None:
    found, _ = signatures(columns(documents), MinHash())
    band_keys(found, MinHash())


def measure(documents: list[list[str]], theirs: int) -> dict[str, Any]:
    from datatrove.data import Document
    from datatrove.pipeline import filters
    from datatrove.pipeline.dedup.minhash import MinhashDedupSignature

    count = len(documents)
    texts = ["\n".join(d) for d in documents]
    results: dict[str, Any] = {"documents": count, "documents_datatrove": theirs}
    columns(documents[:5])
    for name, (kind, prefixes) in FILTERS.items():
        cut_chunk.cache_clear()
        cold, ours = cpu(lambda p=prefixes: judge(documents, p))
        warm, _ = cpu(lambda p=prefixes: judge(documents, p))
        peer = getattr(filters, kind)()
        peer.filter(Document(text="Warm up the tokenizer.", id=""))
        spent, verdicts = cpu(lambda p=peer: [p.filter(Document(text=t, id="")) is True for t in texts[:theirs]])
        agreed = int((np.array(verdicts) == ours[:theirs]).sum())
        results[name] = {
            "ours_cold": count / cold, "ours_warm": count / warm, "datatrove": theirs / spent, "agreed": agreed,
            "kept": int(sum(verdicts)), "of": theirs,
        }  # fmt: skip
    cut_chunk.cache_clear()
    cold, _ = cpu(lambda: all_heuristics(documents))
    warm, _ = cpu(lambda: all_heuristics(documents))
    results["all_heuristics"] = {"ours_cold": count / cold, "ours_warm": count / warm}
    cold, _ = cpu(lambda: sign(documents))
    warm, _ = cpu(lambda: sign(documents))
    signer = MinhashDedupSignature("/tmp")
    spent, _ = cpu(lambda: [signer.get_signature(signer.get_shingles(t)) for t in texts[:theirs]])
    results["minhash"] = {"ours_cold": count / cold, "ours_warm": count / warm, "datatrove": theirs / spent}
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--source", type=Path, default=Path("../shared/data/books"))
    parser.add_argument("--documents", type=int, default=4000)
    parser.add_argument("--datatrove-documents", type=int, default=600)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    documents = read(options.source, options.documents)
    results = measure(documents, min(options.datatrove_documents, len(documents)))
    if options.json:
        print(json.dumps(results))
        return
    print(f"{results['documents']} documents; documents per CPU second")
    for name, row in results.items():
        if isinstance(row, dict):
            peer = f"datatrove {row['datatrove']:8,.0f}" if "datatrove" in row else ""
            agreed = f"verdicts agree on {row['agreed']} of {row['of']}" if "agreed" in row else ""
            print(f"{name:18} cold {row['ours_cold']:9,.0f}  warm {row['ours_warm']:9,.0f}  {peer}  {agreed}")


if __name__ == "__main__":
    main()
