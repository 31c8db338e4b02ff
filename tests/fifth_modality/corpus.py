"""Tunes in JSON Lines, as ``omni_ray/corpora/tunes.py`` would read them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.sources.tree import Tree


class Tunes(Corpus):
    name, modality, title = "tunes", "melodies", "Tunes"
    licence, homepage, size = "CC0", "https://example.org/tunes", "any"
    layout = "*.jsonl with id, title and abc"

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        for name in tree.names():
            if name.endswith(".jsonl"):
                yield UnitDraft({"file": name}, inputs=(name,))

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        for number, line in enumerate(tree.read(payload["file"]).decode().splitlines(), 1):
            where = f"{payload['file']}:{number}"
            try:
                tune = json.loads(line)
                ident, title, score = tune["id"], tune["title"], tune["abc"].encode()
            except (ValueError, KeyError) as error:
                yield Rejected(where, where, "bad_row", str(error))
                continue
            yield {"id": ident, "where": where, "path": f"{ident}.abc", "title": title, "score": score}
