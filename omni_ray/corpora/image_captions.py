"""Captioned pictures of your own: a table, or pictures with a text file of the same name beside each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.media import with_medium
from omni_ray.corpora.stems import beside_text, paired_units, sidecar_text, why_alone
from omni_ray.corpora.word_boxes import is_labels
from omni_ray.media_names import media_file
from omni_ray.records import EXTRA
from omni_ray.sources.captions import Fault, caption_key, caption_texts, rejected
from omni_ray.sources.extra import extra_text, rest_of
from omni_ray.sources.json_objects import loads
from omni_ray.sources.kinds import PICTURES
from omni_ray.sources.tree import Tree

_TEXTS = (".txt", ".caption", ".json")


class ImageCaptions(Corpus):
    """Tables, and JSON lists of ``{image, caption}``; else pictures with ``<stem>.txt``, one caption per line."""

    name = "image_captions"
    modality = "images"
    title = "Your own captioned pictures"
    licence = "yours"
    layout = (
        "a JSON list, CSV, JSONL or Parquet with columns image and caption (see --columns), a Hugging Face dataset, or "
        "pictures with <stem>.txt (a caption a line) or <stem>.json beside them, in folders and tars (WebDataset, img2dataset)"
    )
    in_all = False
    version = 4
    keeps_columns = True
    columns = {
        "image": ("image", "file_name", "filename", "image_path", "path", "img", "file"),
        "captions": ("captions", "caption", "text", "sentences", "sentence", "description"),
        "category": ("category", "label"),
        "id": ("id", "image_id"),
    }

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        return paired_units(tree, PICTURES, _TEXTS, options, 256, (self.columns, self.modality))

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        for name, sidecar in payload["files"]:
            ident = name.rpartition(".")[0]
            text = sidecar_text(tree, sidecar, ident, name, encoding=payload.get("encoding", ""))
            if isinstance(text, Rejected):
                yield text
                continue
            captions, faults, extra = _captions(name, str(sidecar), text, "keeps_columns" in payload)
            if "keeps_columns" in payload:
                extra = extra or beside_text(tree, name, sidecar)
            yield from rejected(faults, ident, name)
            if not captions:
                if not faults:
                    yield Rejected(ident, name, "empty_text", f"{sidecar} is empty")
                continue
            row = {"id": ident, "where": name, "records": len(captions), "path": media_file(name, ".jpg")}
            row |= {"captions": captions, "category": None, EXTRA: extra}
            yield with_medium(tree, name, name, "image", row)

    def why_unread(self, name: str) -> str:
        return why_alone(name, _TEXTS)


def _captions(name: str, sidecar: str, text: str, keeps_columns: bool) -> tuple[list[str], list[Fault], str | None]:
    """The captions of a text file: one a line; of JSON, as WebDataset and img2dataset write it, its caption, and its
    other fields where these are kept."""
    if sidecar.lower().endswith(".json"):
        try:
            value = loads(text)
            captions, faults = caption_texts(value)
        except (ValueError, RecursionError):
            return [], [("bad_row", f"{sidecar} is not JSON")], None
        is_more = keeps_columns and isinstance(value, dict) and bool(captions)
        return captions, faults, extra_text(rest_of(value, [caption_key(value) or ""])) if is_more else None
    if is_labels(text):
        what = f"{sidecar}: boxes of numbers (a detector's labels, such as YOLO's), not a caption of {name}"
        return [], [("bad_row", what)], None
    return [line for line in re.split(r"\r\n|\r|\n", text) if line.strip()], [], None
