"""Utterances that lists name, as units and as records: shared by speech corpora with lists of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

from omni_ray.corpora.base import Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.bounds import UnitBounds, media_weight, runs, stretch_weight
from omni_ray.corpora.evaluation import splits_in
from omni_ray.corpora.media import fetch, is_input
from omni_ray.corpora.table_rows import fetch_stretch
from omni_ray.media_names import media_file
from omni_ray.sources.lists import SeenKeys, line_ranges, read_range, text_of
from omni_ray.sources.tree import Tree

if TYPE_CHECKING:
    from omni_ray.sources.segments import Cutter

CLIPS_PER_UNIT = 128


@dataclass(frozen=True)
class Spoken:
    """One utterance, as a list has it.

    Attributes:
        where: the list, and the line.
        file: the recording, in the tree.
        start, end: the stretch of the recording, in seconds; None for the whole, or for its end.
        channel: which of several, as :func:`omni_ray.modalities.audio.channel_number` takes it.
    """

    ident: str
    where: str
    file: str
    text: str
    speaker: str | None = None
    start: float | None = None
    end: float | None = None
    channel: str | None = None


Parsed = Spoken | Rejected
Parse = Callable[[str, str], Parsed]
"""Where a line is, and what it says, as an utterance."""


def weight(tree: Tree, item: Parsed) -> int:
    """Bytes of an utterance when it is decoded."""
    if isinstance(item, Rejected):
        return 0
    if item.start is None or item.end is None:
        return media_weight(tree, item.file)
    return stretch_weight(item.end - item.start)


def told_apart(items: Iterable[Parsed], seen: SeenKeys) -> Iterator[Parsed]:
    """The same utterances; an exact repeat is a ``duplicate_id``, another one with its id gets its file's name."""
    for item in items:
        if isinstance(item, Spoken):
            is_again = seen.again(
                f"row {(item.ident, item.file, item.start, item.end, item.text)}".encode("utf-8", "replace")
            )
            if is_again:
                item = Rejected(item.ident, item.where, "duplicate_id", "the same utterance came before")
            elif seen.again(f"id {item.ident}".encode("utf-8", "replace")):
                item = Spoken(f"{item.ident}@{item.where}", *astuple(item)[1:])
        yield item


def spoken_units(
    tree: Tree, items: Iterable[Parsed], options: SourceOptions, inputs: tuple[str, ...]
) -> Iterator[UnitDraft]:
    """Units of utterances that had to be gathered from several lists: each unit names all of its own."""
    for run in runs(items, options, CLIPS_PER_UNIT, lambda item: weight(tree, item)):
        listed = [["" if isinstance(item, Spoken) else "rejected", *astuple(item)] for item in run]
        files = dict.fromkeys(item.file for item in run if isinstance(item, Spoken) and is_input(tree, item.file))
        yield UnitDraft({"utterances": listed}, (*files,), len(run), len(run), inputs, splits_in(inputs))


def list_units(
    tree: Tree, name: str, parse: Parse, options: SourceOptions, payload: Mapping[str, Any]
) -> Iterator[UnitDraft]:
    """Units of a list with one utterance per line, which :func:`list_records` reads again.

    Args:
        parse: makes an utterance of a line.
        payload: what ``parse`` depends on, for the reader.
    """
    cut, seen = UnitBounds(options, CLIPS_PER_UNIT), SeenKeys()

    def begins(line: bytes) -> bool:
        return bool(line.strip()) and cut.before(weight(tree, parsed(parse, name, 0, line)))

    for part in line_ranges(tree, name, begins):
        lines = read_range(tree, name, *part.span)
        items = [(n, parsed(parse, name, n, line)) for n, line in lines if line.strip()]
        again = [n for n, item in items if isinstance(item, Spoken) and seen.again(f"{item.file} {item.text}".encode())]
        files = (item.file for _, item in items if isinstance(item, Spoken) and is_input(tree, item.file))
        whole = {"list": name, "span": part.span, "again": again, **payload}
        if items:
            yield UnitDraft(whole, (name, *dict.fromkeys(files)), len(items), len(items), (), splits_in([name]))


def parsed(parse: Parse, name: str, number: int, line: bytes) -> Parsed:
    """Line ``number`` of a list as an utterance; ``bad_encoding`` where it is not UTF-8."""
    where, text = f"{name}:{number}", text_of(line.rstrip(b"\r\n"))
    return Rejected(where, where, "bad_encoding", "not UTF-8") if text is None else parse(where, text)


def list_records(tree: Tree, payload: Mapping[str, Any], parse: Parse) -> Iterator[dict[str, Any] | Rejected]:
    """The records of a unit of :func:`list_units`."""
    again = set(payload["again"])
    lines = read_range(tree, payload["list"], *payload["span"])
    items = ((n, parsed(parse, payload["list"], n, line)) for n, line in lines if line.strip())
    yield from records(tree, (_unless_again(item, number in again) for number, item in items))


def _unless_again(item: Parsed, is_again: bool) -> Parsed:
    if is_again and isinstance(item, Spoken):
        return Rejected(item.ident, item.where, "duplicate_id", "the same file and text came before")
    return item


def spoken_records(tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
    """The records of a unit of :func:`spoken_units`."""
    yield from records(
        tree, (Rejected(*rest) if kind == "rejected" else Spoken(*rest) for kind, *rest in payload["utterances"])
    )


def records(tree: Tree, items: Iterable[Parsed]) -> Iterator[dict[str, Any] | Rejected]:
    """Utterances with their sound."""
    from omni_ray.sources.segments import Cutter

    cutter = Cutter()
    for item in items:
        yield item if isinstance(item, Rejected) else _record(tree, item, cutter)
    cutter.close()


def _record(tree: Tree, item: Spoken, cutter: Cutter) -> dict[str, Any] | Rejected:
    if not item.text.strip():
        return Rejected(item.ident, item.where, "missing_text", "no transcript")
    name = item.file
    if item.start is None:
        audio = fetch(tree, item.file, item.ident, item.where)
    else:
        audio = fetch_stretch(tree, item.file, item.ident, item.where, item.start, item.end, cutter)
        end = "end" if item.end is None else f"{item.end:.3f}"
        name = f"{item.file.removesuffix('.flac')}-{item.start:.3f}-{end}.flac"
    if isinstance(audio, Rejected):
        return audio
    if item.channel:
        name = f"{name.removesuffix('.flac')}-{item.channel}.flac"
    return {
        "id": item.ident,
        "where": item.where,
        "audio": audio,
        "path": media_file(name, ".flac"),
        "text": item.text.strip(),
        "speaker": item.speaker,
        "channel": item.channel,
    }
