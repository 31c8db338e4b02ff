"""SynthText: words drawn into photographs, with a box for each word in one MATLAB file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, cast

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.bounds import media_weight, runs
from omni_ray.corpora.media import with_medium
from omni_ray.errors import SourceError
from omni_ray.media_names import is_safe_name
from omni_ray.sources.tree import MemberTooLarge, Tree

_PHOTOS_PER_UNIT = 64
_MAX_MAT_BYTES = 4 << 30


class SynthText(Corpus):
    """Photographs and words in the order of ``gt.mat``."""

    name = "synthtext"
    modality = "ocr"
    title = "SynthText in the Wild"
    licence = "non-commercial research (Visual Geometry Group, Oxford)"
    homepage = "https://www.robots.ox.ac.uk/~vgg/data/scenetext/"
    size = "41 GB, 858,750 pictures, 7,266,866 words"
    layout = "SynthText/gt.mat beside <n>/*.jpg"
    manual = "Download SynthText.zip from robots.ox.ac.uk/~vgg/data/scenetext."

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        for folder, folders, files in tree.walk():
            if "gt.mat" not in files:
                continue
            folders.clear()
            prefix = f"{folder}/" if folder else ""
            photos = _photos(tree, f"{prefix}gt.mat")
            for part in runs(photos, options, _PHOTOS_PER_UNIT, partial(_weight, tree, prefix)):
                words = sum(1 if texts is None else max(len(texts), len(quads)) for _, texts, quads in part)
                inputs = tuple(prefix + name for name, texts, _ in part if texts is not None and is_safe_name(name))
                payload: dict[str, Any] = {"list": f"{prefix}gt.mat", "prefix": prefix, "photos": part}
                yield UnitDraft(payload, inputs, words, words, reads=(payload["list"],))

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        where = payload["list"]
        for name, texts, quads in payload["photos"]:
            if texts is None:
                yield Rejected(
                    name, where, "bad_row", f"{name} of the list has no name, words and boxes that fit together"
                )
                continue
            ident = name.rpartition(".")[0]
            count = max(len(texts), len(quads))
            if len(texts) != len(quads):
                detail = f"{name}: {len(texts)} words, {len(quads)} boxes"
                yield Rejected(ident, where, "bad_row", detail, count)
            elif count:
                words = [
                    {"id": f"{ident}#{i}", "text": text, "quad": quad}
                    for i, (text, quad) in enumerate(zip(texts, quads, strict=True))
                ]
                row = {"id": ident, "where": f"{where}: {name}", "records": count, "path": name, "words": words}
                yield with_medium(tree, payload["prefix"] + name, where, "image", {**row, "source": "synthtext"})


def _weight(tree: Tree, prefix: str, photo: Any) -> int:
    return media_weight(tree, prefix + photo[0])


def _photos(tree: Tree, name: str) -> list[list[Any]]:
    """[file, words, quads] for each photograph, see :func:`_photo`; a quad is x1, y1, ... x4, y4."""
    from scipy.io import loadmat

    try:
        content = loadmat(cast(Any, io.BytesIO(tree.read(name, _MAX_MAT_BYTES))))
        names, texts, boxes = (content[key].reshape(-1) for key in ("imnames", "txt", "wordBB"))
        listed = list(zip(names, texts, boxes, strict=True))
    except (
        KeyError,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        MemberTooLarge,
        OSError,
        NotImplementedError,
    ) as error:
        raise SourceError(
            f"synthtext: {tree.location}/{name} is not SynthText's MATLAB file with imnames, txt and wordBB "
            f"({type(error).__name__}: {str(error)[:100]})"
        ) from error
    return [_photo(number, *photo) for number, photo in enumerate(listed)]


def _photo(number: int, file: Any, text: Any, box: Any) -> list[Any]:
    """[file, words, quads]; without words and quads where the row is malformed."""
    try:
        name = str(file.reshape(-1)[0])
        words = " ".join(str(row) for row in text.reshape(-1)).split()
        corners = box.reshape(2, 4, -1)
        quads = [corners[:, :, i].T.reshape(-1).astype(float).tolist() for i in range(corners.shape[2])]
    except (AttributeError, ValueError, TypeError, IndexError):
        return [f"picture {number}", None, None]
    return [name, words, quads]
