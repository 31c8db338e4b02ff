"""Lists of word images and their labels without a header, as the tools that train recognisers write them.

PaddleOCR (``name<TAB>label``; its photographs' ``name<TAB>[{"transcription", "points"}]``), the STR community's ``gt.txt``,
mmocr's ``name label`` and ``data_list``, ICDAR's ``name, "label"``, EasyOCR's ``filename,words`` without quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omni_ray.corpora.base import Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.bounds import UnitBounds, media_weight, runs
from omni_ray.corpora.listed_pictures import fault_of
from omni_ray.corpora.media import is_input, with_medium
from omni_ray.corpora.table_rows import media_name
from omni_ray.corpora.textocr import quad_of
from omni_ray.corpora.word_boxes import corners_of, is_corners
from omni_ray.errors import SourceError
from omni_ray.media_names import media_file
from omni_ray.sources.encoding import HINT, decode
from omni_ray.sources.json_objects import Ambiguous, loads
from omni_ray.sources.kinds import PICTURES
from omni_ray.sources.lists import line_ranges, read_range
from omni_ray.sources.tree import Tree

_LINES_PER_UNIT = 1000
_MAX_JSON_BYTES = 1 << 30
_ENDINGS = "|".join(re.escape(ending) for ending in PICTURES)
_NAME = rf"(?P<name>[^\t]*?(?:{_ENDINGS}))"
_SEPARATORS = {
    "tab": re.compile(r"(?P<name>[^\t]+)\t(?P<label>.*)"),
    "comma": re.compile(rf"{_NAME}\s*,\s*(?P<label>.*)", re.IGNORECASE),
    "blank": re.compile(rf"{_NAME} (?P<label>.*)", re.IGNORECASE),
}
_LISTS = (".txt", ".tsv", ".csv", ".lst", ".tab")
_EASYOCR_HEADER = re.compile(rb"(?:\xef\xbb\xbf)?filename,words\r?\n")
_PROBES = 20
_HEAD = 1 << 16


@dataclass(frozen=True)
class Line:
    """A line of a list: the pictures' names as written there, and the label."""

    names: list[str]
    label: str


def list_units(tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
    """Units of every such list of the tree, for :func:`read_list`. A list is one if it names pictures that are there."""
    for name in tree.names():
        lower = name.lower()
        if options.splits and not any(split.lower() in lower for split in options.splits):
            continue
        if lower.endswith(_LISTS) and tree.size(name):
            yield from _line_units(tree, name, options)
        elif lower.endswith(".json") and _has_data_list(tree, name):
            yield from _data_units(tree, name, options)


def read_list(tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
    """The records of one unit of :func:`list_units`."""
    name = payload["list"]
    if "data" in payload:
        for number, item in payload["data"]:
            yield from _data_item(tree, name, payload["strip"], number, item)
        return
    for number, raw in read_range(tree, name, *payload["span"]):
        where = f"{name}:{number}"
        line = _line(raw, payload["separator"], payload.get("encoding", ""))
        if isinstance(line, str):
            reason = "bad_encoding" if line == HINT else "bad_row"
            yield Rejected(where, where, reason, f"line {number}: {line}")
        elif line is not None:
            for file in line.names:
                yield from _labelled(tree, where, _placed(tree, name, file, payload["strip"]), line.label)


def _labelled(tree: Tree, where: str, file: str, label: str) -> Iterator[dict[str, Any] | Rejected]:
    """A word image with its label; or a photograph, where the label lists words and their corners."""
    ident = file.rpartition(".")[0] or file
    if label.strip() == "[]":
        yield Rejected(ident, where, "missing_text", f"{file}: its list of words is empty")
        return
    if not label.startswith("[{"):
        yield _record(tree, where, file, ident, [{"id": ident, "text": label, "quad": None}])
        return
    try:
        listed = loads(label)
    except (ValueError, RecursionError):
        listed = None
    if not isinstance(listed, list):
        yield Rejected(ident, where, "bad_row", f"{file}: its words are not JSON")
        return
    words = []
    for n, word in enumerate(listed):
        if fault := fault_of(word):
            yield Rejected(f"{ident}#{n}", where, "bad_row", f"{file}: word {n} is {fault}")
            continue
        quad, text = quad_of(_flat(word.get("points"))), word.get("transcription")
        if quad is None or not isinstance(text, str):
            yield Rejected(f"{ident}#{n}", where, "bad_geometry", f"{file}: word {n} has no four corners and text")
        else:
            words.append({"id": f"{ident}#{n}", "text": text, "quad": quad})
    if words:
        yield _record(tree, where, file, ident, words)


def _flat(points: Any) -> Any:
    """[[x1, y1], ...] as x1, y1, ..."""
    if isinstance(points, list) and all(isinstance(point, list) and len(point) == 2 for point in points):
        return [each for point in points for each in point]
    return points


def _record(
    tree: Tree, where: str, file: str, ident: str, words: list[dict[str, Any]], frame: list[int] | None = None
) -> dict[str, Any] | Rejected:
    row = {"id": ident, "where": f"{where}: {file}", "records": len(words), "path": media_file(file, ".jpg")}
    return with_medium(tree, file, where, "image", {**row, "words": words, "frame": frame, "source": None})


def _line(raw: bytes, separator: str, encoding: str) -> Line | str | None:
    """A line; None for a blank one; else what is wrong with it."""
    text = decode(raw, encoding)
    if text is None:
        return HINT
    text = text.removeprefix("\ufeff")
    if not text.strip():
        return None
    found = _SEPARATORS[separator].fullmatch(text)
    if found is None:
        return f"{text[:60]} is not a name and a label with a {separator} between them"
    label = found["label"]
    if separator == "comma" and len(label) > 1 and label[0] == label[-1] == '"':
        label = label[1:-1].replace('""', '"').replace('\\"', '"')
    return Line(_names(found["name"].strip()), label)


def _names(name: str) -> list[str]:
    """One name, or several in a JSON list: PaddleOCR's pictures that share a label."""
    if not name.startswith("["):
        return [name]
    try:
        names = json.loads(name)
    except ValueError:
        return [name]
    return names if isinstance(names, list) and names and all(isinstance(each, str) for each in names) else [name]


def _line_units(tree: Tree, name: str, options: SourceOptions) -> Iterator[UnitDraft]:
    with tree.open(name) as file:
        head = file.read(_HEAD)
    skip = 1 if _EASYOCR_HEADER.match(head) else 0
    lines = [line for line in head.splitlines()[skip : skip + _PROBES] if line.strip()]
    separator = _separator(lines, options.encoding)
    if separator is None:
        return
    if _are_boxes(lines, separator, options.encoding):
        tree.set_aside(name, "documentation")
        return
    strip = _strip(tree, name, lines, separator, options.encoding)
    if strip is None:
        tree.set_aside(name, "no_media")
        return
    payload: dict[str, Any] = {"list": name, "separator": separator, "strip": strip}
    if options.encoding:
        payload["encoding"] = options.encoding
    cut = UnitBounds(options, _LINES_PER_UNIT)

    def files_of(line: Line | str | None) -> list[str]:
        return [_placed(tree, name, each, strip) for each in line.names] if isinstance(line, Line) else []

    def begins(raw: bytes) -> bool:
        line = _line(raw.rstrip(b"\r\n"), separator, options.encoding)
        return cut.before(sum(media_weight(tree, file) for file in files_of(line)))

    for part in line_ranges(tree, name, begins, skip=skip):
        parsed = [_line(raw, separator, options.encoding) for _, raw in read_range(tree, name, *part.span)]
        files = [file for line in parsed for file in files_of(line)]
        expected = len(files) + sum(isinstance(line, str) for line in parsed)
        yield UnitDraft(
            {**payload, "span": part.span},
            tuple(file for file in files if is_input(tree, file)),
            None,
            expected,
            reads=(name,),
        )


def _separator(lines: list[bytes], encoding: str) -> str | None:
    """What stands between names and labels; the first line must name a picture, which a header does not."""
    if not lines:
        return None
    for separator in _SEPARATORS:
        line = _line(lines[0], separator, encoding)
        if isinstance(line, Line) and all(each.lower().endswith(PICTURES) for each in line.names):
            return separator
    return None


def _are_boxes(lines: list[bytes], separator: str, encoding: str) -> bool:
    """Whether a list says where words are, beside one that says which: ICDAR's ``coords.txt``."""
    parsed = [_line(line, separator, encoding) for line in lines]
    return all(is_corners(line.label) for line in parsed if isinstance(line, Line))


def _strip(tree: Tree, name: str, lines: list[bytes], separator: str, encoding: str) -> int | None:
    """How many folders to leave out of the front of a list's names, which may be relative to a folder of their author's.

    None where no picture is found at all: then it is no list.
    """
    parsed = [_line(line, separator, encoding) for line in lines]
    names = [each for line in parsed if isinstance(line, Line) for each in line.names]
    best = _best_strip(tree, name, names)
    return best if any(tree.exists(_placed(tree, name, each, best)) for each in names) else None


def _best_strip(tree: Tree, name: str, names: list[str]) -> int:
    return max(range(8), key=lambda n: (sum(tree.exists(_placed(tree, name, each, n)) for each in names), -n))


def _placed(tree: Tree, list_name: str, name: str, strip: int) -> str:
    parts = name.replace("\\", "/").removeprefix("./").split("/")
    return media_name(tree, list_name, "/".join(parts[min(strip, len(parts) - 1) :]))


def _has_data_list(tree: Tree, name: str) -> bool:
    with tree.open(name) as file:
        head = file.read(_HEAD)
        file.seek(max(0, tree.size(name) - _HEAD))
        return b'"data_list"' in head or b'"data_list"' in file.read(_HEAD)


def _data_units(tree: Tree, name: str, options: SourceOptions) -> Iterator[UnitDraft]:
    """mmocr 1.x: ``{"metainfo": ..., "data_list": [{"img_path", "instances": [{"text", "polygon" or "bbox"}]}]}``."""
    try:
        items = loads(tree.read(name, _MAX_JSON_BYTES))["data_list"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise SourceError(f"{name}: not a list of mmocr ({type(error).__name__}: {str(error)[:80]})") from error
    if not isinstance(items, list):
        raise SourceError(f"{name}: its data_list is no list")
    names = [item["img_path"] for item in items if not fault_of(item) and isinstance(item.get("img_path"), str)]
    strip = _best_strip(tree, name, names[:_PROBES])

    def file_of(item: Any) -> str:
        path = None if fault_of(item) else item.get("img_path")
        return _placed(tree, name, path, strip) if isinstance(path, str) else ""

    for part in runs(enumerate(items), options, _LINES_PER_UNIT, lambda each: media_weight(tree, file_of(each[1]))):
        files = [file for _, item in part if (file := file_of(item))]
        data = [(number, _as_payload(item)) for number, item in part]
        payload = {"list": name, "data": data, "strip": strip}
        yield UnitDraft(payload, tuple(file for file in files if is_input(tree, file)), None, len(part), reads=(name,))


def _as_payload(item: Any) -> Any:
    """An item of such a list, in which a fault stands for each object that gives a name twice."""
    if fault := fault_of(item):
        return fault
    instances = item.get("instances")
    if not isinstance(instances, list):
        return item
    return {**item, "instances": [each.fault if isinstance(each, Ambiguous) else each for each in instances]}


def _data_item(tree: Tree, name: str, strip: int, number: int, item: Any) -> Iterator[dict[str, Any] | Rejected]:
    where = f"{name}, item {number}"
    if isinstance(item, str):
        yield Rejected(f"{name}:{number}", where, "bad_row", f"item {number} of {name} is {item}")
        return
    path, instances = item.get("img_path"), item.get("instances")
    if not isinstance(path, str) or not isinstance(instances, list):
        yield Rejected(f"{name}:{number}", where, "bad_row", f"item {number} of {name} has no img_path and instances")
        return
    file = _placed(tree, name, path, strip)
    ident = file.rpartition(".")[0] or file
    words = []
    for n, instance in enumerate(instances):
        text = instance.get("text") if isinstance(instance, dict) else None
        if not isinstance(text, str):
            said = instance if isinstance(instance, str) else "without text"
            yield Rejected(f"{ident}#{n}", where, "missing_text", f"{file}: instance {n} is {said}")
            continue
        outline = instance.get("polygon") or corners_of(instance.get("bbox"))
        quad = quad_of(outline)
        if outline and quad is None:
            yield Rejected(
                f"{ident}#{n}", where, "bad_geometry", f"{file}: the outline of instance {n} is not four corners"
            )
        else:
            whole = quad is None and len(instances) == 1
            words.append({"id": ident if whole else f"{ident}#{n}", "text": text, "quad": quad})
    frame = [each for each in (item.get("width"), item.get("height")) if isinstance(each, int) and each > 0]
    if words:
        yield _record(tree, where, file, ident, words, frame if len(frame) == 2 else None)
    elif not instances:
        yield Rejected(ident, where, "missing_text", f"{file}: no instances")
