"""Word images of your own: a table of images and labels, or images with a text file of the same name beside each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Options, Rejected, UnitDraft
from omni_ray.corpora.media import fetch
from omni_ray.corpora.stems import paired_units, sidecar_text
from omni_ray.corpora.table_rows import media_path
from omni_ray.sources.furniture import is_documentation
from omni_ray.sources.kinds import PICTURES
from omni_ray.sources.tree import Tree

_TEXTS = (".gt.txt", ".txt")


class OcrImages(Corpus):
    """Tables; else images with ``<stem>.txt`` or ``<stem>.gt.txt`` that holds the label."""

    name = "ocr_images"
    modality = "ocr"
    title = "Your own word images"
    licence = "yours"
    homepage = ""
    size = "any"
    layout = (
        "CSV, JSONL or Parquet with columns image and text (see --columns), a Hugging Face dataset, or images with "
        "<stem>.txt beside them"
    )
    in_all = False
    columns = {
        "image": ("image", "file_name", "filename", "image_path", "path", "img", "file"),
        "text": ("text", "label", "text_label", "word", "transcription"),
        "id": ("id",),
    }

    def units(self, tree: Tree, options: Options) -> Iterator[UnitDraft]:
        return paired_units(tree, PICTURES, _TEXTS, options, 500)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        for name, sidecar in payload["files"]:
            ident = name.rpartition(".")[0]
            text = sidecar_text(tree, sidecar, ident, name, encoding=payload.get("encoding", ""))
            image = fetch(tree, name, ident, name)
            if isinstance(text, Rejected):
                yield text
            elif isinstance(image, Rejected):
                yield image
            else:
                yield {
                    "id": ident,
                    "where": name,
                    "image": image,
                    "path": media_path(name, ".jpg"),
                    "words": [{"id": ident, "text": text, "quad": None}],
                    "source": None,
                }

    def why_unread(self, name: str) -> str:
        return "no_media" if name.endswith(_TEXTS) and not is_documentation(name.rpartition("/")[2]) else ""
