"""Rows of a table as raw records: media by value or by path, captions gathered by picture.

:mod:`omni_ray.sources.tables` gives columns named by role; what a role's value looks like differs from table to
table. Media are bytes, a struct of bytes and path (Hugging Face), or a path relative to the table or to the source.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omni_ray.corpora.base import Rejected
from omni_ray.corpora.media import fetch
from omni_ray.media_names import is_safe_name, media_file
from omni_ray.records import EXTRA, Unusable
from omni_ray.sources.captions import captions_of
from omni_ray.sources.extra import joined
from omni_ray.sources.inline_media import inline_media
from omni_ray.sources.kinds import AUDIO, PICTURES, archive_kind
from omni_ray.sources.rooted import RootedTree

if TYPE_CHECKING:
    import pyarrow as pa

    from omni_ray.sources.segments import Cutter
    from omni_ray.sources.tree import Tree

Record = dict[str, Any] | Rejected
_MOST_FOLDERS = 16


def rows_of(tree: Tree, file: str, items: Iterable[pa.Table | Rejected], modality: str) -> Iterator[Any]:
    """Records of ``modality`` from what :func:`omni_ray.sources.tables.read_table_unit` yields of ``file``: rows as they are
    where they hold no media."""
    form = FORMS.get(modality)
    return iter(items) if form is None else form.records(tree, file, items)


def _one_by_one(
    role: str, make: Callable[[Mapping[str, Any], bytes, str], dict[str, Any]]
) -> Callable[[Tree, str, Iterable[pa.Table | Rejected]], Iterator[Record]]:
    """Every row is a record, or a stretch of the recording that it names; ``make`` gets it with its media, ``role``."""

    def records(tree: Tree, file: str, items: Iterable[pa.Table | Rejected]) -> Iterator[Record]:
        from omni_ray.sources.segments import Cutter

        cutter = Cutter()
        for item in items:
            if isinstance(item, Rejected):
                yield item
                continue
            for batch in item.to_batches(max_chunksize=64):
                for row in batch.to_pylist():
                    if "start" in row or "offset" in row:
                        yield _segment(tree, file, row, cutter)
                        continue
                    data, name = media_of(tree, file, row[role], row)
                    yield data if isinstance(data, Rejected) else make(row, data, name)
        cutter.close()

    return records


def _segment(tree: Tree, file: str, row: Mapping[str, Any], cutter: Cutter) -> Record:
    """A row that is a stretch of a recording: from ``start`` to ``end``, or for ``duration``."""
    ident, where, value = row["id"], row["where"], row["audio"]
    begin = row["start"] if "start" in row else (row["offset"] or 0)  # NeMo reads from 0 where there is no offset
    try:
        start = float(begin)
        end = float(row["end"]) if row.get("end") is not None else start + float(row["duration"])
    except (KeyError, TypeError, ValueError):
        said = f"start {begin}, end {row.get('end')}, duration {row.get('duration')}"
        return Rejected(ident, where, "bad_row", f"{said}: not seconds")
    if isinstance(value, Mapping) and value.get("bytes") is None:
        value = value.get("path")
    if not isinstance(value, str) or not value.strip():
        return Rejected(ident, where, "missing_media", "start and end are for recordings in files of their own")
    name = media_name(tree, file, value)
    data = fetch_stretch(tree, name, ident, where, start, end, cutter)
    if isinstance(data, Rejected):
        return data
    stem = name.removesuffix(".flac")
    return _clip(row, data, f"{stem}-{start:.3f}-{end:.3f}")


def fetch_stretch(
    tree: Tree, name: str, ident: str, where: str, start: float, end: float | None, cutter: Cutter
) -> bytes | Rejected:
    """The recording ``name`` from ``start`` to ``end`` (None for its end), in seconds, as WAV; or why it cannot be read."""
    from omni_ray.sources.segments import BadSegment

    def read(tree: Tree, name: str, limit: int) -> bytes:
        with tree.open(name) as recording:
            return cutter.cut(name, recording, start, end)

    try:
        return fetch(tree, name, ident, where, read=read)
    except BadSegment as error:
        return Rejected(ident, where, "bad_row", f"{name} {error}")
    except Unusable as error:
        return Rejected(ident, where, error.reason, f"{name}: {error}")


def media_of(
    tree: Tree, file: str, value: Any, row: Mapping[str, Any], records: int = 1
) -> tuple[bytes | Rejected, str]:
    """The bytes that a media column's value means, and the best name there is for them."""
    ident, where = row["id"], row["where"]
    if isinstance(value, Mapping):
        inside, path = value.get("bytes"), value.get("path")
        if isinstance(inside, str):
            inside = inline_media(inside)
        if inside is not None:
            return inside, _name_inside(file, where, path)
        value = path
    if isinstance(value, bytes):
        return value, _name_inside(file, where, None)
    if not isinstance(value, str) or not value.strip():
        return Rejected(ident, where, "missing_media", "neither bytes nor a path", records), ident
    name = media_name(tree, file, value)
    return fetch(tree, name, ident, where, records=records), name


def media_name(tree: Tree, file: str, value: str) -> str:
    """The file of the tree that a table's path means: beside the table, from the top of the tree, in the folder of
    ``--media-root``, or in the one folder or archive beside the table that has it (many folders are no media folders). ``../``
    leads out of the table's folder, but not out of the tree; an absolute path may lead into it, and one of trainers' own lists
    may begin further up (``data/audio/a.wav`` in ``data/audio``); Windows writes backslashes. Where several folders beside the
    table have it, the result is a name that says so."""
    name = value.strip().removeprefix("./")
    folder = file.rpartition("/")[0]
    spellings = [name, name.replace("\\", "/").removeprefix("./")] if "\\" in name else [name]
    rooted = tree if isinstance(tree, RootedTree) else None
    inner = rooted.tree if rooted else tree
    for each in spellings:
        found = _as_it_stands(inner, folder, each) or (rooted and rooted.find(each)) or _in_a_folder(inner, file, each)
        if found:
            return found
    return name


def _as_it_stands(tree: Tree, folder: str, name: str) -> str | None:
    if name.startswith("/"):
        root = getattr(tree, "root", None) or getattr(getattr(tree, "tree", None), "root", None)
        prefix = f"{root.absolute()}/" if isinstance(root, Path) else None
        inside = name.removeprefix(prefix) if prefix and name.startswith(prefix) else ""
        return inside if is_safe_name(inside) and tree.exists(inside) else None
    if ".." in name.split("/"):
        inside = posixpath.normpath(f"{folder}/{name}" if folder else name)
        return inside if is_safe_name(inside) and tree.exists(inside) else None
    beside = f"{folder}/{name}" if folder else name
    return next((each for each in (beside, name) if tree.exists(each)), None)


def _in_a_folder(tree: Tree, file: str, name: str) -> str | None:
    if name.startswith("/") or ".." in name.split("/"):
        return None
    found = [place for each in _folders_of(tree, file) if tree.exists(place := f"{each}/{name}")]
    if len(found) > 1:
        return f"{name}: it is in several folders, {found[0]} and {found[1]}"
    return found[0] if found else _from_further_up(tree, file.rpartition("/")[0], name)


def _from_further_up(tree: Tree, folder: str, name: str) -> str | None:
    place = tree.local_path(folder or ".")
    parts, above = name.split("/"), place.absolute().parts if place is not None else ()
    for count in range(1, min(len(parts), len(above) + 1)):
        if above[-count:] == tuple(parts[:count]):
            inner = "/".join(([folder] if folder else []) + parts[count:])
            return inner if tree.exists(inner) else None
    return None


@lru_cache(maxsize=64)
def _folders_of(tree: Tree, file: str) -> tuple[str, ...]:
    """:func:`_folders`, without those of other tables: where ``train.csv`` lies beside ``train/``, ``test/`` is ``test.csv``'s."""
    folder, _, name = file.rpartition("/")
    every = _folders(tree, folder)
    if _called(name) not in map(_called, every):
        return every
    lists = (each for each in tree.look(folder).files if not each.lower().endswith((*AUDIO, *PICTURES)))
    others = set(map(_called, lists)) - {_called(name)}
    return tuple(each for each in every if _called(each) not in others)


def _called(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]


@lru_cache(maxsize=4)
def _folders(tree: Tree, folder: str) -> tuple[str, ...]:
    """Where the media of a table in ``folder`` may be, besides there and at the top of the tree."""
    found = list(_below(tree, folder))
    parts = folder.split("/") if folder else []
    for depth in (depth for depth, part in enumerate(parts) if archive_kind(part) is not None):
        # The table is in an archive: its media may be in another one beside it, or unpacked there.
        above, within = "/".join(parts[:depth]), "/".join(parts[depth + 1 :])
        places = [above, *_below(tree, above)]
        found += [f"{place}/{within}".strip("/") for place in places if within] + places
    return tuple(dict.fromkeys(place for place in found if place not in ("", folder)))


def _below(tree: Tree, folder: str) -> Iterator[str]:
    """The folders in ``folder``, and those at the top of archives among them."""
    prefix = f"{folder}/" if folder else ""
    for name in sorted(tree.folders_in(folder))[:_MOST_FOLDERS]:
        yield prefix + name
        if archive_kind(name) is not None:
            yield from (f"{prefix}{name}/{each}" for each in sorted(tree.folders_in(prefix + name))[:_MOST_FOLDERS])


def _name_inside(file: str, where: str, path: str | None) -> str:
    """A name for media inside a table. Several such tables often give the same paths."""
    row = where.rpartition(" ")[2]
    base = (path or "").replace("\\", "/").rpartition("/")[2]
    return f"{file}/{row}-{base}" if base else f"{file}/{row}"


def _named(row: Mapping[str, Any], value: Any, name: str) -> str:
    """Where a row is, with the file that it names."""
    return f"{row['where']}: {name}" if isinstance(value, str) else str(row["where"])


def _clip(row: Mapping[str, Any], data: bytes, name: str) -> dict[str, Any]:
    return {
        "id": row["id"],
        "where": row["where"],
        "audio": data,
        "path": media_file(name, ".flac"),
        "text": row["text"],
        "speaker": row.get("speaker"),
        "channel": row.get("channel"),
        EXTRA: row.get(EXTRA),
    }


def _word(row: Mapping[str, Any], data: bytes, name: str) -> dict[str, Any]:
    return {
        "id": row["id"],
        "where": _named(row, row["image"], name),
        "image": data,
        "path": media_file(name, ".jpg"),
        "words": [{"id": row["id"], "text": row["text"], "quad": None}],
        "source": None,
        EXTRA: row.get(EXTRA),
    }


def _pictures(tree: Tree, file: str, items: Iterable[pa.Table | Rejected]) -> Iterator[Record]:
    """Rows that name the same picture become one record: it is read and decoded once."""
    by_path: dict[str, dict[str, Any]] = {}
    for item in items:
        if isinstance(item, Rejected):
            yield item
            continue
        for row in (row for batch in item.to_batches(max_chunksize=64) for row in batch.to_pylist()):
            captions, lost = captions_of(row)
            yield from lost
            if not captions:
                continue
            path = row["image"] if isinstance(row["image"], str) else None
            if path is None:
                yield _picture(tree, file, row, captions)
            elif path in by_path:
                by_path[path]["captions"] += captions
                by_path[path]["extras"].append(row.get(EXTRA))
            else:
                by_path[path] = {**row, "captions": list(captions), "extras": [row.get(EXTRA)]}
    for row in by_path.values():
        yield _picture(tree, file, {**row, EXTRA: joined(row["extras"])}, row["captions"])


def _picture(tree: Tree, file: str, row: Mapping[str, Any], captions: list[str]) -> Record:
    records = max(1, len(captions))
    data, name = media_of(tree, file, row["image"], row, records)
    if isinstance(data, Rejected):
        return data
    return {
        "id": row["id"],
        "where": _named(row, row["image"], name),
        "records": records,
        "image": data,
        "path": media_file(name, ".jpg"),
        "captions": captions,
        "category": row.get("category"),
        EXTRA: row.get(EXTRA),
    }


@dataclass(frozen=True)
class TableForm:
    """How tables hold records of a modality with media.

    Attributes:
        role: of the column with the media, or with their paths.
        rows_per_unit: at most.
        records: the tree, the table's name and its rows to records.
        is_shared: whether rows that name the same media belong together; else each is a record, and a repeat
            is a duplicate.
        expands: whether media are much larger once decoded.
    """

    role: str
    rows_per_unit: int
    records: Callable[[Tree, str, Iterable[pa.Table | Rejected]], Iterator[Record]]
    is_shared: bool = True
    expands: bool = False


FORMS = {
    "audio": TableForm("audio", 256, _one_by_one("audio", _clip), is_shared=False, expands=True),
    "images": TableForm("image", 1024, _pictures),
    "ocr": TableForm("image", 4096, _one_by_one("image", _word)),
}
"""Modalities whose records have media; rows of others are read as they are."""
