"""MJSynth (Synth90k): nine million synthetic word images, a list of paths, the label in the file's name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Download, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.bounds import UnitBounds, media_weight
from omni_ray.corpora.evaluation import TRAIN, splits_in
from omni_ray.corpora.media import with_medium
from omni_ray.media_names import is_safe_name
from omni_ray.sources.lists import line_ranges, read_range
from omni_ray.sources.tree import Tree

_WORDS_PER_UNIT = 1000
_STAMPED_LIST_BYTES = 4 << 20
"""The images of lists up to this size are checked when they are indexed, so that changed ones are noticed."""
_LISTS = (("annotation.txt",), ("annotation_train.txt", "annotation_val.txt", "annotation_test.txt"), ("imlist.txt",))


class MJSynth(Corpus):
    """Words in list order. ``annotation.txt`` if it is there, else the three splits, else ``imlist.txt``."""

    name = "mjsynth"
    modality = "ocr"
    title = "MJSynth (Synth90k)"
    licence = "non-commercial research (Visual Geometry Group, Oxford)"
    homepage = "https://www.robots.ox.ac.uk/~vgg/data/text/"
    size = "10 GB, 8,919,273 word images"
    layout = (
        "mnt/ramdisk/max/90kDICT32px/annotation*.txt beside <n>/<m>/<i>_<WORD>_<k>.jpg, the archive of it, or a table with "
        "columns image and label"
    )
    columns = {"image": ("image",), "text": ("label", "text", "word"), "id": ("id",)}
    downloads = (Download("https://www.robots.ox.ac.uk/~vgg/data/text/mjsynth.tar.gz", "mjsynth.tar.gz", 10678411583),)

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        for folder, folders, files in tree.walk():
            chosen = _choose(files, options)
            if not chosen:
                continue
            folders.clear()  # millions of images that nobody needs to list
            prefix = f"{folder}/" if folder else ""
            lexicon = f"{prefix}lexicon.txt" if "lexicon.txt" in files else None
            for file in chosen:
                yield from _units_of_list(tree, prefix, f"{prefix}{file}", lexicon, options)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        lexicon = tree.read(payload["lexicon"]).decode("utf-8", "replace").splitlines() if payload["lexicon"] else None
        for number, line in read_range(tree, payload["list"], *payload["span"]):
            if line.strip():
                yield _record(tree, payload["prefix"], lexicon, f"{payload['list']}:{number}", line)


def _choose(files: list[str], options: SourceOptions) -> list[str]:
    if options.splits:
        return [f"annotation_{split}.txt" for split in options.splits if f"annotation_{split}.txt" in files]
    # annotation.txt covers all splits and does not tell them apart.
    is_told = options.evaluation != TRAIN and "annotation_train.txt" in files
    for names in _LISTS[1:] if is_told else _LISTS:
        if found := [name for name in names if name in files]:
            return found
    return []


def _path(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape").split(" ")[0].strip().removeprefix("./")


def _units_of_list(
    tree: Tree, prefix: str, name: str, lexicon: str | None, options: SourceOptions
) -> Iterator[UnitDraft]:
    is_small = tree.size(name) <= _STAMPED_LIST_BYTES
    cut = UnitBounds(options, _WORDS_PER_UNIT)

    def begins(line: bytes) -> bool:  # MJSynth has 9 million words of some KB, too many to look at
        return cut.before(media_weight(tree, prefix + _path(line)) if is_small and line.strip() else 0)

    for part in line_ranges(tree, name, begins):
        words = part.lines
        paths = [_path(line) for _, line in read_range(tree, name, *part.span) if line.strip()]
        images = tuple(prefix + path for path in paths if is_safe_name(path))
        payload = {"prefix": prefix, "list": name, "span": part.span, "lexicon": lexicon}
        reads = () if lexicon is None else (lexicon,)
        if is_small:
            words = len(paths)
            yield UnitDraft(payload, (name, *images), words, words, reads, splits_in([name]))
        else:
            yield UnitDraft(payload, (name,), words, words, (*reads, *images), splits_in([name]))


def _record(tree: Tree, prefix: str, lexicon: list[str] | None, where: str, line: bytes) -> dict[str, Any] | Rejected:
    path = _path(line)
    shown = path.encode("utf-8", "replace").decode()
    ident = shown.rpartition(".")[0] or shown
    parts = path.rpartition("/")[2].rpartition(".")[0].split("_")
    if len(parts) < 3:
        return Rejected(ident, where, "bad_row", f"{shown}: the file's name is not <i>_<WORD>_<k>")
    label = "_".join(parts[1:-1])
    if lexicon is not None and not _agrees(lexicon, parts[-1], label):
        return Rejected(ident, where, "bad_row", f"{shown}: word {parts[-1]} of the lexicon is not {label}")
    words = [{"id": ident, "text": label, "quad": None}]
    row = {"id": ident, "where": f"{where}: {shown}", "path": shown, "words": words, "source": "mjsynth"}
    return with_medium(tree, prefix + path, where, "image", row)


def _agrees(lexicon: list[str], index: str, label: str) -> bool:
    """Whether the number that ends the file's name is the label's, from 0, in the lexicon; case does not matter."""
    if not index.isdigit() or int(index) >= len(lexicon):
        return False
    return lexicon[int(index)].strip().casefold() == label.casefold()
