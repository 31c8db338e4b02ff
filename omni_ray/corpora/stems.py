"""Media with a text file of the same name: ``clip.wav`` and ``clip.txt`` beside it, or in another folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from omni_ray.corpora.base import Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.bounds import media_weight, runs
from omni_ray.corpora.evaluation import by_side, splits_in
from omni_ray.corpora.media import fetch, with_medium
from omni_ray.corpora.table_rows import FORMS
from omni_ray.corpora.table_slices import media_units
from omni_ray.errors import SourceError
from omni_ray.media_names import media_file
from omni_ray.sources.encoding import HINT, decode
from omni_ray.sources.extra import extra_text
from omni_ray.sources.furniture import is_documentation
from omni_ray.sources.json_objects import loads
from omni_ray.sources.tree import MemberDamaged, Tree

Table = tuple[Mapping[str, tuple[str, ...]], str]
"""The columns of a table that may be there instead, by role, and the modality."""
_MAX_TEXT_BYTES = 1 << 20
_MORE = ".json"
_MOST_FOLDERS = 8
"""Folders above a file that are looked at to tell it from others of its name."""


def paired_units(
    tree: Tree, media: tuple[str, ...], texts: tuple[str, ...], options: SourceOptions, per_unit: int, table: Table
) -> Iterator[UnitDraft]:
    """Units of ``[media file, text file or None]``, in the order of names; JSON beside a text, as img2dataset writes it, goes
    with them.

    The text file is beside the media file. Where no media file has one there, it is that of :func:`by_name`. Yields nothing where no media file has a text file, or where there is a table that lists as
    many: then the tree is laid out in another way.

    Raises:
        SourceError: there is a table, and there are more text files than it has rows.
    """
    pairs: list[list[str | None]] = []
    for folder, _, files in tree.walk():
        if folder and not options.is_wanted_folder(folder):
            continue
        there = {_lower_ending(file): file for file in files} | {file: file for file in files}
        for file in files:
            if file.lower().endswith(media):
                stem = file.rpartition(".")[0]
                text = next((there[stem + ending] for ending in texts if stem + ending in there), None)
                more = there.get(stem + _MORE) if text and not text.lower().endswith(_MORE) else None
                prefix = f"{folder}/" if folder else ""
                pairs.append([prefix + file, *(name and prefix + name for name in (text, more))])
    if not any(text for _, text, _ in pairs):
        names = [str(name) for name, *_ in pairs]
        elsewhere = by_name(names, (name for name in tree.names() if name.lower().endswith(texts)))
        pairs = [[name, elsewhere.get(name), None] for name in names]
    texts_found = sum(text is not None for _, text, _ in pairs)
    if not texts_found or _table_is_meant(tree, table, options, texts_found):
        return
    how: dict[str, Any] = {"encoding": options.encoding} if options.encoding else {}
    how |= {"keeps_columns": True} if options.keep_columns else {}
    for draft in pair_units(tree, pairs, options, per_unit):
        files = draft.payload["files"]
        also: tuple[str, ...] = tuple(name for *_, name in files if name)
        inputs = (*draft.inputs, *also) if options.keep_columns else draft.inputs
        yield replace(draft, payload={"files": [pair[:2] for pair in files], **how}, inputs=inputs, reads=also)
    _set_shard_lists_aside(tree)


def _set_shard_lists_aside(tree: Tree) -> None:
    """Tables that img2dataset writes beside its tars, with a row for each address: what was fetched is in the tar."""
    from omni_ray.sources.columnar import schema_of

    for name in [name for name, reason in tree.aside.items() if reason == "column" and name.endswith(".parquet")]:
        if {"key", "status", "url"} <= set(schema_of(tree, name, "parquet").names):
            tree.set_aside(name, "documentation")


def beside_text(tree: Tree, name: str, sidecar: str | None) -> str | None:
    """What JSON beside a text says about a media file, to be kept."""
    more = name.rpartition(".")[0] + _MORE
    if sidecar is None or sidecar.lower().endswith(_MORE) or not tree.exists(more):
        return None
    try:
        said = loads(tree.read(more, _MAX_TEXT_BYTES))
    except (ValueError, RecursionError, MemberDamaged):
        return None
    return extra_text(said) if isinstance(said, dict) else None


def pair_units(
    tree: Tree, pairs: Iterable[list[str | None]], options: SourceOptions, per_unit: int
) -> Iterator[UnitDraft]:
    """Units of ``[media file, text file or None, ...]``, for a reader that knows where its corpus puts the text files."""
    for side in by_side(pairs, lambda pair: str(pair[0]), options.evaluation):
        for part in runs(side, options, per_unit, lambda pair: media_weight(tree, str(pair[0]))):
            names = tuple(name for pair in part for name in pair[:2] if name is not None)
            of = splits_in(str(pair[0]) for pair in part)
            yield UnitDraft({"files": part}, names, len(part), len(part), evaluation=of)


def read_pairs(tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
    """The clips of a unit of :func:`pair_units` of ``[clip, text file, speaker]``; a clip's name is its id."""
    for name, sidecar, speaker in payload["files"]:
        ident = name.rpartition("/")[2].rpartition(".")[0]
        text = sidecar_text(tree, sidecar, ident, name)
        row = {"id": ident, "where": name, "path": media_file(name, ".flac"), "text": text, "speaker": speaker}
        yield text if isinstance(text, Rejected) else with_medium(tree, name, name, "audio", row)


def why_alone(name: str, texts: tuple[str, ...]) -> str:
    """Why a file is not read although it has one of the endings ``texts``: "no_media" beside it; "" for any other file."""
    return "no_media" if name.lower().endswith(texts) and not is_documentation(name.rpartition("/")[2]) else ""


def _table_is_meant(tree: Tree, table: Table, options: SourceOptions, texts: int) -> bool:
    """Whether a table lists the media, so text files beside some of them are strays, or say the same."""
    columns, modality = table
    try:
        drafts = list(media_units(tree, columns, options, FORMS[modality]))
    except SourceError:
        if options.columns:
            raise
        return False
    rows = sum(draft.records or 0 for draft in drafts)
    if not rows or rows >= texts or options.columns:
        return rows > 0
    raise SourceError(
        f"{drafts[0].inputs[0]}: lists {rows:,} of the media, but {texts:,} have a text file of their own; put them into "
        "folders of their own, and give --source the one that is meant"
    )


def _lower_ending(name: str) -> str:
    stem, dot, ending = name.rpartition(".")
    return stem + dot + ending.lower()


Called = Callable[[str], str]
"""From the stem of a file to the name by which it is found."""


def by_name(
    media: Iterable[str], texts: Iterable[str], medium: Called = lambda stem: stem, text: Called = lambda stem: stem
) -> dict[str, str]:
    """The texts of media in other folders, by medium: those whose name no other text has, and no medium that is called
    otherwise or is in another folder.

    Where several have a name, it is taken with the folder that it is in, then with two, ...: ``wav/ada/1.wav`` and
    ``txt/ada/1.txt``. What that does not tell apart has no text: it could be another one's.
    """
    found: dict[str, str] = {}
    left, rest = [(name, *_parts(name, medium)) for name in media], [(name, *_parts(name, text)) for name in texts]
    for depth in range(_MOST_FOLDERS):
        of_media, of_texts = _by_key(left, depth), _by_key(rest, depth)
        sure = {
            key: said
            for key, [said, *others] in of_texts.items()
            if not others and len({name.rpartition(".")[0] for name in of_media.get(key, ())}) == 1
        }
        found |= {name: said for key, said in sure.items() for name in of_media[key]}
        taken = set(sure.values())
        left = [each for each in left if each[0] not in found and len(each[1]) > depth]
        rest = [each for each in rest if each[0] not in taken and len(each[1]) > depth]
    return found


def _parts(name: str, called: Called) -> tuple[tuple[str, ...], str]:
    """The folders of a file, and what it is called."""
    *folders, last = name.split("/")
    return tuple(folders), called(last.rpartition(".")[0])


def _by_key(files: Iterable[tuple[str, tuple[str, ...], str]], depth: int) -> dict[tuple[str, ...], list[str]]:
    """Files by what they are called and so many of the folders that they are in."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, folders, called in files:
        found.setdefault((*folders[len(folders) - depth :], called), []).append(name)
    return found


def sidecar_text(tree: Tree, name: str | None, ident: str, where: str, encoding: str = "") -> str | Rejected:
    """The text file's text, or why there is none. ``encoding`` is the codec that the user named."""
    if name is None:
        return Rejected(ident, where, "missing_text", "no text file of the same name")
    data = fetch(tree, name, ident, where, limit=_MAX_TEXT_BYTES)
    if isinstance(data, Rejected):
        return data
    text = decode(data, encoding)
    if text is None:
        return Rejected(ident, where, "bad_encoding", f"{name}: not UTF-8; {HINT}")
    return text
