"""Tables in files: Parquet, Arrow, JSON Lines, JSON arrays, CSV and TSV, their columns named by role.

Every corpus can be read from a table, such as a Hugging Face dataset, by saying which column plays which role. The
index reads footers, headers and first lines only, except for large CSV files with quotation marks
(:func:`omni_ray.sources.delimited.table_ranges`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from omni_ray.errors import NoColumn, SourceError
from omni_ray.records import EXTRA, Rejected, SourceOptions, UnitDraft
from omni_ray.sources import columnar, delimited, json_rows
from omni_ray.sources.columns_by_role import check_roles, choose_columns, fits, no_header
from omni_ray.sources.copies import names_once
from omni_ray.sources.delimited import table_ranges
from omni_ray.sources.dialect import Dialect, dialect_in, dialect_of
from omni_ray.sources.form import Form, form_in, form_of, head, plain_chunks, start_of
from omni_ray.sources.hive import partition
from omni_ray.sources.json_shapes import shapes
from omni_ray.sources.kinds import TABLES
from omni_ray.sources.line_blocks import byte_ranges
from omni_ray.sources.nameless import content_of
from omni_ray.sources.packed_ranges import plain_size
from omni_ray.sources.rows import Gather, Item, columns_of, texts_of
from omni_ray.sources.signatures import named
from omni_ray.sources.tree import Tree

_SUFFIX = re.compile(r"(\.[a-z]+)(?:\.(gz|bz2|xz|zst))?$", re.IGNORECASE)
_NOT_DATA = re.compile(
    # What the datasets library writes beside a dataset, and what it caches there.
    r"(?:dataset_infos?|dataset_dict|state|config|package|.*_metadata|metadata)\.json|cache-.*\.arrow",
    re.IGNORECASE,
)
_VERSION = 13
"""Increased when the same table gives different rows; this makes every shard made from tables stale."""
_EMPTY = "an empty file"
_MOST_TEXTS = 64
"""Where there are more .txt files than this, they are texts, not lists."""
_LINES_PER_DOCUMENT = 8
"""A document's further columns are repeated for each of its lines: units with them are this many times smaller."""
_BYTES_PER_ROW = 400
"""Bytes of CSV or JSON Lines per row; only an estimate."""


def table_format(name: str) -> str | None:
    """The kind of table a file is by its name: parquet, arrow, lines, json, delimited; None for other files."""
    base = name.rpartition("/")[2]
    suffix = _SUFFIX.search(base)
    if suffix is None or _NOT_DATA.fullmatch(base):
        return None
    return next((kind for kind, endings in TABLES.items() if suffix[1].lower() in endings), None)


def table_units(tree: Tree, columns: Mapping[str, tuple[str, ...]], options: SourceOptions) -> Iterator[UnitDraft]:
    """Slices of every table in the tree, in the order of the files' names.

    Args:
        columns: role -> column names to look for, best first. The roles text, audio, image and captions
            must have a column; the others may.
        options: ``columns`` overrides the choice; ``splits`` keeps the files whose folder or name names a split.

    Yields:
        Drafts with the payload ``{"table": {...}}``, for :func:`read_table_unit`. Nothing where there is no table.

    Raises:
        SourceError: no table has the columns that are needed (the nearest is named), or a file is not what its name says.
    """
    if options.keep_columns and not {"audio", "image"} & set(columns):
        options = replace(options, unit_scale=options.unit_scale / _LINES_PER_DOCUMENT)
    lacking: list[NoColumn] = []
    is_any = False
    for name, kind in _tables(tree, columns, options):
        is_wanted = _is_wanted(name, options.splits) and options.is_wanted_language(name.rpartition("/")[0])
        if not is_wanted or not tree.size(name):
            continue
        try:
            before = is_any
            for table, inside, rows in _slices(tree, name, kind, columns, options):
                is_any = True
                payload = {"table": {"file": name, "reader": _VERSION, **table}}
                yield UnitDraft(payload, (name,), records=rows, samples=rows or 1 + inside // _BYTES_PER_ROW)
        except SourceError as error:
            lacking.append(_lacking(tree, name, kind, error))
        else:
            if is_any == before and kind == "json" and (what := _instead(tree, name, kind)):
                lacking.append(_no_table(tree, name, what))
    if lacking and not is_any:
        raise lacking[0]


def _lacking(tree: Tree, name: str, kind: str, error: SourceError) -> NoColumn:
    """What a file lacks to be read as a table; it is set aside. Raises SourceError for any graver fault."""
    what = _instead(tree, name, kind)
    if what and kind in ("parquet", "arrow"):
        raise SourceError(f"{name}: no {kind.capitalize()} file, but {what}") from None
    if what:
        return _no_table(tree, name, what)
    if not isinstance(error, NoColumn):
        raise error
    tree.set_aside(name, "column")
    return error


def _no_table(tree: Tree, name: str, what: str) -> NoColumn:
    tree.set_aside(name, "empty" if what == _EMPTY else "format")
    return NoColumn(f"{name}: no table, but {what}")


def _instead(tree: Tree, name: str, kind: str) -> str:
    """What a file that could not be read as this kind of table is; "" where its first bytes do not tell."""
    data = head(tree, name)
    if kind in ("parquet", "arrow"):
        return "" if data.startswith((b"PAR1", b"ARROW1")) else named(data)
    if not data.strip():
        return _EMPTY
    own = ("a text file",) if kind == "delimited" else ("a JSON file",)
    what = named(data)
    return "" if what in own else what


def _tables(tree: Tree, columns: Mapping[str, tuple[str, ...]], options: SourceOptions) -> Iterator[tuple[str, str]]:
    """The tables of a tree, and their formats. Lists of media are also called .txt: those have a header that names them."""
    texts: list[str] = []
    saved: dict[str, frozenset[str] | None] = {}
    for name in names_once(tree):
        kind = table_format(name)
        folder, _, base = name.rpartition("/")
        if base.endswith(".arrow"):
            if folder not in saved:
                saved[folder] = _saved_in(tree, folder)
            if (there := saved[folder]) is not None and base not in there:
                tree.set_aside(name, "unlisted")
                continue
        if kind is not None:
            yield name, kind
        elif name.lower().endswith(".txt") and {"audio", "image"} & set(columns):
            texts += [name] if len(texts) <= _MOST_TEXTS else []
        elif content_of(tree, name) == "lines":
            yield name, "lines"
    for name in texts if len(texts) <= _MOST_TEXTS else []:
        if content_of(tree, name) == "lines":
            yield name, "lines"
        elif tree.size(name) and _is_list(tree, name, columns, options):
            yield name, "delimited"


def _saved_in(tree: Tree, folder: str) -> frozenset[str] | None:
    """The files of a dataset that ``datasets`` saved in a folder (``save_to_disk``); None where there is none.

    Raises:
        SourceError: one of them is not there.
    """
    import json

    state = f"{folder}/state.json".removeprefix("/")
    if not tree.exists(state):
        return None
    try:
        listed = [str(each["filename"]) for each in json.loads(tree.read(state))["_data_files"]]
    except (ValueError, KeyError, TypeError):
        return None
    for each in listed:
        if not tree.exists(name := f"{folder}/{each}".removeprefix("/")):
            raise SourceError(f"{name}: not there, and {state} names it; copy the dataset once more")
    return frozenset(listed)


def _is_list(tree: Tree, name: str, roles: Mapping[str, tuple[str, ...]], options: SourceOptions) -> bool:
    try:
        _, dialect = _opened(tree, name, roles, options)
    except SourceError:
        return False

    return len(dialect.header) > 1 and fits(list(dialect.header), roles, options)


def _opened(
    tree: Tree, name: str, roles: Mapping[str, tuple[str, ...]], options: SourceOptions
) -> tuple[Form, Dialect]:
    """How a CSV or TSV file is written. Raises SourceError where that cannot be told."""
    data = head(tree, name)
    form = form_of(data, options.encoding)
    text = start_of(data, form).decode("utf-8", "replace")
    return form, dialect_of(text, name, options.header, lambda there: fits(there, roles, options))


def media_are_inside(tree: Tree, payload: Mapping[str, Any], role: str) -> bool:
    """Whether a Parquet or Arrow table holds the media of ``role``, rather than their paths."""
    table = payload["table"]
    return not columnar.holds_strings(tree, table["file"], table["format"], table["columns"][role])


def read_table_unit(tree: Tree, payload: Mapping[str, Any]) -> Iterator[pa.Table | Rejected]:
    """The rows of one slice.

    Yields tables with ``id`` (the role's column, else ``<file>:<row or byte>``), ``where``, and one column for each
    role that the file has: ``text`` large_string, other strings string, ``captions`` list<string>, and faulty captions beside them
    (:mod:`omni_ray.sources.captions`); ``audio`` and
    ``image`` as they are: bytes, a path, or a struct of both. A row that cannot be parsed (``bad_row``), is not
    UTF-8 (``bad_encoding``), or has null where a role is required (``missing_text``, ``missing_media``) is a
    :class:`Rejected`, and costs only itself.
    """
    table = payload["table"]
    if table["format"] in ("parquet", "arrow"):
        span, folders = (table["start"], table["end"]), table.get("folders", {})
        return columnar.read(tree, table["file"], table["format"], table["columns"], *span, folders)
    return _parsed(tree, table, columns_of)


def read_texts(tree: Tree, payload: Mapping[str, Any]) -> Iterator[Sequence[str | None] | Rejected]:
    """The rows of one slice as :func:`read_table_unit` tells them, but one by one: the values in the order of the roles, which are
    all filled with strings."""
    table = payload["table"]
    if table["format"] not in ("parquet", "arrow"):
        yield from _parsed(tree, table, texts_of)
        return
    for item in read_table_unit(tree, payload):
        if isinstance(item, Rejected):
            yield item
        else:
            yield from zip(*(item[role].to_pylist() for role in table["columns"]), strict=True)


def _parsed(tree: Tree, table: Mapping[str, Any], gather: Gather[Item]) -> Iterator[Item]:
    """The rows of one slice of a file that is parsed row by row."""
    name, columns, form = table["file"], table["columns"], form_in(table)
    if table["format"] == "json":
        return json_rows.read_shape(tree, name, table, form, gather)
    span = table["start"], table["end"]
    if table["format"] == "lines":
        return json_rows.read_lines(tree, name, span, columns, form, gather)
    return delimited.read_table(tree, name, span, dialect_in(table), columns, form, gather)


def _is_wanted(name: str, splits: tuple[str, ...]) -> bool:
    return not splits or any(is_of_split(name, split) for split in splits)


def is_of_split(name: str, split: str) -> bool:
    """Whether a file's folder or name says that it belongs to a split."""
    *folders, base = name.split("/")
    return split in folders or re.match(rf"{re.escape(split)}(?![A-Za-z0-9])", base) is not None


def _slices(
    tree: Tree, name: str, kind: str, roles: Mapping[str, tuple[str, ...]], options: SourceOptions
) -> Iterator[tuple[dict[str, Any], int, int | None]]:
    """(payload, bytes, rows where known) of each slice of one file."""
    if kind in ("parquet", "arrow"):
        yield from _columnar_slices(tree, name, kind, roles, options)
    elif kind in ("json", "lines"):
        yield from _json_slices(tree, name, kind, roles, options)
    else:
        yield from _delimited_slices(tree, name, roles, options)


def _delimited_slices(
    tree: Tree, name: str, roles: Mapping[str, tuple[str, ...]], options: SourceOptions
) -> Iterator[tuple[dict[str, Any], int, int | None]]:
    form, dialect = _opened(tree, name, roles, options)
    try:
        columns = choose_columns(name, list(dialect.header), roles, options)
    except NoColumn as error:
        raise no_header(name, dialect.header, roles, options) or error from None
    shared = {"format": "delimited", "columns": columns, **dialect.as_payload(), **form.as_payload()}
    size = tree.size(name)
    for start, end in table_ranges(tree, name, dialect, form, options):
        yield {**shared, "start": start, "end": end}, max(0, (end or size) - start), None


def _json_slices(
    tree: Tree, name: str, kind: str, roles: Mapping[str, tuple[str, ...]], options: SourceOptions
) -> Iterator[tuple[dict[str, Any], int, int | None]]:
    check_roles(roles, options)
    size = tree.size(name)
    data = head(tree, name)
    form = form_of(data, options.encoding)
    found = shapes(
        name,
        start_of(data, form, whole_lines=False),
        lambda: plain_chunks(tree, name, form),
        kind == "lines",
        lambda there: fits(there, roles, options),
    )
    for shape in found:
        shared = {"columns": choose_columns(name, shape.columns, roles, options), **form.as_payload()}
        if shape.kind != "lines":
            there = {"format": "json", "shape": shape.kind, "path": list(shape.path), **shared}
            for part in json_rows.shape_ranges(tree, name, shape.kind, shape.path, form, options):
                yield {**there, **part}, max(0, (part.get("end") or size) - (part.get("start") or 0)), None
            continue
        plain = plain_size(tree, name, options, form)
        for start, end in [(0, None)] if plain is None else byte_ranges(plain, options):
            inside = (end or plain or size) - start
            yield {"format": "lines", "start": start, "end": end, **shared}, inside, None


def _columnar_slices(
    tree: Tree, name: str, kind: str, roles: Mapping[str, tuple[str, ...]], options: SourceOptions
) -> Iterator[tuple[dict[str, Any], int, int | None]]:
    columns = columnar.choose(tree, name, kind, roles, options)
    folders = {
        column: value for column, value in partition(name).items() if EXTRA in columns or column in columns.values()
    }
    shared = {"format": kind, "columns": columns, **({"folders": folders} if folders else {})}
    for start, end in columnar.slices(tree, name, kind, columns, options):
        yield {**shared, "start": start, "end": end}, 0, end - start
