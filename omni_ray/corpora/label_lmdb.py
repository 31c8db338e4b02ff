"""Word images in LMDB files, as the STR community passes them on: ``image-000000001``, ``label-000000001``, ``num-samples``.

clovaai's deep-text-recognition-benchmark introduced it; ASTER, PARSeq, PaddleOCR and mmocr write and read the same keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.bounds import in_a_unit
from omni_ray.corpora.evaluation import splits_in
from omni_ray.corpora.media import MAX_MEDIA_BYTES
from omni_ray.errors import SourceError
from omni_ray.sources.encoding import HINT, decode
from omni_ray.sources.lmdb_pages import BadLmdb, Lmdb, is_lmdb
from omni_ray.sources.tree import Tree

_WORDS_PER_UNIT = 4096
_ENDINGS = (".mdb", ".lmdb")
_HEAD_BYTES = 192
_COUNT = b"num-samples"


def lmdb_units(tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
    """Units of every such file of the tree, for :func:`read_lmdb`, in the order of their names.

    Raises:
        SourceError: one is broken, or does not say how many samples it has.
    """
    for folder, _, files in tree.walk():
        for file in files:
            name = f"{folder}/{file}".lstrip("/")
            is_wanted = file.lower().endswith(_ENDINGS) and options.is_wanted_folder(folder)
            if is_wanted and _is_lmdb(tree, name):
                lock = f"{folder}/lock.mdb".lstrip("/")
                yield from _units(tree, name, (lock,) if lock != name and tree.exists(lock) else (), options)


def read_lmdb(tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
    """The records of one unit of :func:`lmdb_units`."""
    name, (first, end) = payload["lmdb"], payload["samples"]
    with tree.open(name) as file:
        found = Lmdb(file, tree.size(name))
        for number in range(first, end):
            ident = f"{name.rpartition('/')[0] or name.rpartition('.')[0]}/{number:09d}"
            where = f"{name}, sample {number}"
            try:
                image, label = (found.get(f"{what}-{number:09d}".encode()) for what in ("image", "label"))
            except BadLmdb as error:
                yield Rejected(ident, where, "decode_error", f"{name} {error}")
                continue
            yield _record(ident, where, image, label, number > payload["said"], payload.get("encoding", ""))


def _record(
    ident: str, where: str, image: bytes | None, label: bytes | None, is_over: bool, encoding: str
) -> dict[str, Any] | Rejected:
    if is_over:
        return Rejected(ident, where, "bad_row", f"{where}: there, and beyond what num-samples says")
    if not image:
        return Rejected(ident, where, "missing_media", f"{where}: no picture")
    if len(image) > MAX_MEDIA_BYTES:
        return Rejected(ident, where, "too_large", f"{where}: {len(image):,} bytes")
    if label is None:
        return Rejected(ident, where, "missing_text", f"{where}: no label")
    text = decode(label, encoding)
    if text is None:
        return Rejected(ident, where, "bad_encoding", f"{where}: the label is not UTF-8; {HINT}")
    words = [{"id": ident, "text": text, "quad": None}]
    return {"id": ident, "where": where, "image": image, "path": f"{ident}.jpg", "words": words, "source": None}


def _is_lmdb(tree: Tree, name: str) -> bool:
    with tree.open(name) as file:
        return is_lmdb(file.read(_HEAD_BYTES))


def _units(tree: Tree, name: str, beside: tuple[str, ...], options: SourceOptions) -> Iterator[UnitDraft]:
    size = tree.size(name)
    try:
        with tree.open(name) as file:
            found = Lmdb(file, size)
            value = found.get(_COUNT)
            if value is None or not value.strip().isdigit():
                raise BadLmdb("has no num-samples: not a list of word images")
            said = int(value)
            if said > found.meta.entries:
                raise BadLmdb(f"says that it has {said:,} samples, and has {found.meta.entries:,} keys in all")
            total = _last(found, said)
    except BadLmdb as error:
        raise SourceError(f"{tree.location}/{name} {error}") from None
    step = in_a_unit(options, _WORDS_PER_UNIT, max(1, size // max(total, 1)))
    more = {"encoding": options.encoding} if options.encoding else {}
    for first in range(1, total + 1, step):
        end = min(first + step, total + 1)
        payload = {"lmdb": name, "samples": [first, end], "said": said, **more}
        yield UnitDraft(payload, (name,), end - first, end - first, beside, splits_in([name]))


def _last(found: Lmdb, said: int) -> int:
    """The number of the last sample: pictures beyond the count in ``num-samples`` are not lost in silence."""
    last = said
    while found.get(f"image-{last + 1:09d}".encode()) is not None:
        last += 1
    return last
