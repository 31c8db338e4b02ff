"""One file in several forms: ``a.jsonl`` beside ``a.jsonl.gz``, a dump beside its unpacked copy. Each is read once.

Equal names except for the compression are not enough: the files may be of different days. Their contents are compared,
to the end of the shorter one: unpacking a dump of 24 GB for this takes a quarter of an hour, reading it twice hours.
"""

from __future__ import annotations

from collections.abc import Iterator

from omni_ray.sources.packed import SUFFIXES, BrokenStream, unpack
from omni_ray.sources.tree import Tree


def names_once(tree: Tree) -> Iterator[str]:
    """Every file of the tree as :meth:`Tree.names` gives them, except those that hold what another form holds.

    Those are set aside as ``copy``.
    """
    for folder, _, files in tree.walk():
        prefix = f"{folder}/" if folder else ""
        copies = _copies(tree, prefix, files)
        for file in files:
            if prefix + file in tree.aside:
                continue
            if file in copies:
                tree.set_aside(prefix + file, "copy")
            else:
                yield prefix + file


def _copies(tree: Tree, prefix: str, files: list[str]) -> set[str]:
    forms: dict[str, list[str]] = {}
    for file in files:
        suffix = file[file.rfind(".") :].lower()
        if suffix in SUFFIXES:
            forms.setdefault(file[: -len(suffix)], []).append(file)
    found: set[str] = set()
    for plain, packed in forms.items():
        # The plain one first: it can be read from anywhere.
        known = [plain] if plain in files else []
        for file in sorted(packed, key=lambda name: SUFFIXES.index(name[name.rfind(".") :].lower())):
            less = _which_holds_less(tree, prefix + known[0], prefix + file) if known else ""
            if less:
                found.add(less[len(prefix) :])
            if less != prefix + file:
                known.insert(0, file)
    return found


def _which_holds_less(tree: Tree, one: str, other: str) -> str:
    """Which of two files holds only the beginning of the other; the second if they are equal; "" where they differ."""
    mine, theirs = _contents(tree, one), _contents(tree, other)
    left, right = b"", b""
    while True:
        left, right = left or next(mine, b""), right or next(theirs, b"")
        if not left or not right:
            # An unpacking that was interrupted leaves the beginning, and so does a download.
            return other if not right else one
        length = min(len(left), len(right))
        if left[:length] != right[:length]:
            return ""
        left, right = left[length:], right[length:]


def _contents(tree: Tree, name: str) -> Iterator[bytes]:
    """The plain bytes of a file, as far as they can be read."""
    with tree.open(name) as file:
        try:
            yield from unpack(file, name)
        except BrokenStream:
            return
