"""Word images of your own: a table of images and labels, or images with a text file of the same name beside each."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.label_lists import list_units, read_list
from omni_ray.corpora.label_lmdb import lmdb_units, read_lmdb
from omni_ray.corpora.media import with_medium
from omni_ray.corpora.stems import by_name, pair_units, paired_units, sidecar_text, why_alone
from omni_ray.corpora.word_boxes import boxes_of, is_numbers
from omni_ray.media_names import media_file
from omni_ray.sources.kinds import PICTURES
from omni_ray.sources.tree import Tree

_TEXTS = (".gt.txt", ".txt")
_GROUND_TRUTH = re.compile(r"(?:^|/)gt_[^/]*\.txt$", re.IGNORECASE)


class OcrImages(Corpus):
    """Tables; else images with ``<stem>.txt`` or ``<stem>.gt.txt`` that holds the label."""

    name = "ocr_images"
    modality = "ocr"
    title = "Your own word images"
    licence = "yours"
    layout = (
        "CSV, JSONL or Parquet with columns image and text (see --columns), a Hugging Face dataset, or images with "
        "<stem>.txt beside them, a label or ICDAR's boxes with words; lists without a header as PaddleOCR, mmocr, EasyOCR and ICDAR "
        "write them; LMDB files of the STR community (image-000000001, label-000000001, num-samples)"
    )
    in_all = False
    version = 4
    columns = {
        "image": ("image", "file_name", "filename", "image_path", "path", "img", "file"),
        "text": ("text", "label", "text_label", "word", "words", "transcription"),
        "id": ("id",),
    }

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        pairs = paired_units(tree, PICTURES, _TEXTS, options, 500, (self.columns, self.modality))
        lists, boxes = list_units(tree, options), pair_units(tree, _icdar_pairs(tree), options, 500)
        for units in (pairs, lists, lmdb_units(tree, options), boxes):
            first = next(units, None)
            if first is not None:
                yield from itertools.chain([first], units)
                return

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        if "list" in payload:
            yield from read_list(tree, payload)
            return
        if "lmdb" in payload:
            yield from read_lmdb(tree, payload)
            return
        for name, sidecar in payload["files"]:
            ident = name.rpartition(".")[0]
            text = sidecar_text(tree, sidecar, ident, name, encoding=payload.get("encoding", ""))
            if isinstance(text, Rejected):
                yield text
                continue
            words, lost = _words(ident, name, text)
            yield from lost
            if not words:
                continue
            row = {"id": ident, "where": name, "records": len(words), "path": media_file(name, ".jpg")}
            yield with_medium(tree, name, name, "image", {**row, "words": words, "source": None})

    def why_unread(self, name: str) -> str:
        return why_alone(name, _TEXTS)


def _icdar_pairs(tree: Tree) -> list[list[str | None]]:
    """Photographs and their boxes as ICDAR names them: img_1.jpg and gt_img_1.txt, in one folder or in two."""
    boxes = [name for name in tree.names() if _GROUND_TRUTH.search(name)]
    if not boxes:
        return []
    photos = [name for name in tree.names() if name.lower().endswith(PICTURES)]
    found = by_name(photos, boxes, str.lower, lambda stem: stem.lower().removeprefix("gt_"))
    return [[name, found.get(name)] for name in photos]


def _words(ident: str, name: str, text: str) -> tuple[list[dict[str, Any]], list[Rejected]]:
    """The words of a text file beside a picture: its label, or the words of a photograph; and lines that are neither."""
    boxes = boxes_of(text)
    if boxes is None:
        if is_numbers(text) and len(text.split()) > 1:
            return [], [Rejected(ident, name, "bad_row", f"{name}: its text file holds boxes of numbers without words")]
        return [{"id": ident, "text": text, "quad": None}], []
    words, lost = [], []
    for number, box in enumerate(boxes):
        if box.quad is None:
            lost.append(Rejected(f"{ident}#{number}", name, "bad_row", f"{name}: line {number + 1} is no box and word"))
        else:
            words.append({"id": f"{ident}#{number}", "text": box.text, "quad": box.quad})
    return words, lost
