"""IAM: handwritten English, by the line or by the word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.bounds import media_weight, runs
from omni_ray.corpora.media import with_medium
from omni_ray.media_names import is_safe_name
from omni_ray.sources.lists import text_of, whole_list
from omni_ray.sources.tree import Tree

_LINES_PER_UNIT = 500
_MAX_LIST_BYTES = 256 << 20
_FIELDS = 8
"""Before the text: id, status, grey level, and number of parts, x, y, width, height; or x, y, width, height, kind of word."""


class Iam(Corpus):
    """Lines in the list's order; of words, where there is no list of lines."""

    name = "iam"
    modality = "ocr"
    title = "IAM handwriting"
    licence = "non-commercial research (University of Bern)"
    homepage = "https://fki.tic.heia-fr.ch/databases/iam-handwriting-database"
    size = "lines: 650 MB, 13,353 of 657 writers"
    layout = "ascii/lines.txt beside lines/a01/a01-000u/a01-000u-00.png, or words.txt and words/ likewise"
    manual = "Register at the homepage for ascii.tgz and lines.tgz."
    version = 2
    in_all = False

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        lists: dict[str, str] = {}
        folders: list[str] = []
        for folder, _, files in tree.walk():
            folders.append(folder)
            for file in {"lines.txt", "words.txt"} & set(files):
                lists.setdefault(file, f"{folder}/{file}".lstrip("/"))
        name = lists.get("lines.txt") or lists.get("words.txt")
        if name is None:
            return
        tops = [folder for folder in folders if folder.count("/") <= 2]
        lines = enumerate(whole_list(tree, name, _MAX_LIST_BYTES), 1)
        rows = (row for number, line in lines if (row := _row(number, line)))
        found = ((number, ident, _find(tree, tops, ident), text, fault) for number, ident, text, fault in rows)
        for part in runs(found, options, _LINES_PER_UNIT, lambda row: media_weight(tree, row[2])):
            inputs = tuple(file for _, _, file, *_ in part if file and is_safe_name(file))
            yield UnitDraft({"list": name, "rows": part}, inputs, len(part), len(part), reads=(name,))

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        for number, ident, file, text, fault in payload["rows"]:
            where = f"{payload['list']}:{number}"
            if fault:
                yield Rejected(where, where, *fault)
                continue
            words = [{"id": ident, "text": text, "quad": None}]
            row = {"id": ident, "where": f"{where}: {file}", "path": file, "words": words, "source": "iam"}
            yield with_medium(tree, file, where, "image", row)


def _row(number: int, line: bytes) -> tuple[int, str, str, tuple[str, str] | None] | None:
    """(number, id, text, reason and detail of what is wrong); None for comments and blank lines."""
    if not line.strip() or line.startswith(b"#"):
        return None
    fields = line.decode("utf-8", "surrogateescape").split(maxsplit=_FIELDS)
    ident = fields[0].encode("utf-8", "replace").decode()
    if len(fields) <= _FIELDS:
        return number, ident, "", ("bad_row", f"line {number} has fewer than {_FIELDS + 1} fields")
    if text_of(line) is None:
        return number, ident, "", ("bad_encoding", f"line {number} is not UTF-8")
    return number, ident, fields[_FIELDS].replace("|", " "), None


def _find(tree: Tree, folders: list[str], ident: str) -> str:
    """The picture of an id: a01-000u-00 is a01/a01-000u/a01-000u-00.png, or all are in one folder."""
    parts = ident.split("-")
    usual = f"{parts[0]}/{'-'.join(parts[:2])}/{ident}.png"
    for folder in folders:
        for name in (usual, f"{ident}.png"):
            place = f"{folder}/{name}" if folder else name
            if tree.exists(place):
                return place
    return usual
