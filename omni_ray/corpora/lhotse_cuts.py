"""lhotse's manifests: cuts, or recordings with supervisions, as JSON Lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.spoken import Parsed, Spoken, spoken_records, spoken_units, told_apart
from omni_ray.corpora.table_rows import media_name
from omni_ray.errors import SourceError
from omni_ray.sources.json_objects import Ambiguous, loads
from omni_ray.sources.lists import SeenKeys
from omni_ray.sources.packed import BrokenStream, unpack
from omni_ray.sources.tree import Tree

_ENDINGS = (".jsonl", ".jsonl.gz")


class Lhotse(Corpus):
    """Manifests in order of name, and in each the utterances in order. A supervision is an utterance: a part of its cut."""

    name = "lhotse"
    modality = "audio"
    title = "lhotse manifests"
    licence = "as the recordings"
    homepage = "https://lhotse.readthedocs.io"
    layout = "*cuts*.jsonl.gz, or *recordings*.jsonl.gz with *supervisions*.jsonl.gz, and the recordings that they name, within the source"
    in_all = False
    version = 2

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        names = [name for name in tree.names() if name.endswith(_ENDINGS)]
        if options.splits:
            names = [name for name in names if any(split in name for split in options.splits)]
        kinds = {name: _kind(tree, name) for name in names}
        seen = SeenKeys()
        cuts = [name for name in names if kinds[name] == "cuts"]
        for name in cuts:
            yield from spoken_units(tree, told_apart(_of_cuts(tree, name), seen), options, (name,))
        if cuts:  # which hold their recordings and supervisions
            return
        places = [name for name in names if kinds[name] == "recordings"]
        recordings: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for name in places:
            for _, row in _rows(tree, name):
                if row.get("id") is not None:
                    recordings.setdefault(str(row["id"]), []).append((name, row))
        for name in names:
            if kinds[name] == "supervisions":
                items = told_apart(_of_supervisions(tree, name, recordings), seen)
                yield from spoken_units(tree, items, options, (name, *places))

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        return spoken_records(tree, payload)

    def why_unread(self, name: str) -> str:
        return "copy" if name.endswith(_ENDINGS) else ""


def _kind(tree: Tree, name: str) -> str:
    """What the first line of a manifest is: cuts, recordings, supervisions or "" for something else."""
    _, row = next(_rows(tree, name), (0, {}))
    if str(row.get("type", "")).endswith("Cut"):
        return "cuts"
    if isinstance(row.get("sources"), list):
        return "recordings"
    return "supervisions" if {"recording_id", "start", "duration"} <= set(row) else ""


def _rows(tree: Tree, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers and objects. A line that is no object, or gives a name twice, gives an empty one."""
    rest, number = b"", 0
    try:
        with tree.open(name) as file:
            for chunk in unpack(file, name):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    number += 1
                    if line.strip():
                        yield number, _object(line)
    except BrokenStream:
        raise SourceError(f"{name}: the file cannot be unpacked to its end; fetch it again") from None
    if rest.strip():
        yield number + 1, _object(rest)


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) and not isinstance(value, Ambiguous) else {}


def _of_cuts(tree: Tree, name: str) -> Iterator[Parsed]:
    for number, cut in _rows(tree, name):
        where = f"{name}:{number}"
        ident = str(cut.get("id") or where)
        if cut.get("type") not in ("MonoCut", "MultiCut"):
            said = "a line that is no cut" if not cut else f"a {cut.get('type')}, which is mixed or padded"
            yield Rejected(ident, where, "bad_row", said)
            continue
        supervisions = cut.get("supervisions") or []
        if not supervisions:
            yield Rejected(ident, where, "missing_text", "no supervision")
        for supervision in supervisions:
            try:
                start = float(cut["start"]) + max(0.0, float(supervision["start"]))
                end = float(cut["start"]) + min(
                    float(cut["duration"]), float(supervision["start"]) + float(supervision["duration"])
                )
                label = str(supervision.get("id") or ident) if len(supervisions) > 1 else ident
                yield _utterance(
                    tree, name, label, where, supervision, cut["recording"], start, end, cut.get("channel")
                )
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                yield Rejected(ident, where, "bad_row", f"{type(error).__name__}: {error}")


def _of_supervisions(
    tree: Tree, name: str, recordings: Mapping[str, Sequence[tuple[str, dict[str, Any]]]]
) -> Iterator[Parsed]:
    for number, row in _rows(tree, name):
        where = f"{name}:{number}"
        ident = str(row.get("id") or where)
        found = _beside(name, recordings.get(str(row.get("recording_id")), []))
        if not found:
            yield Rejected(ident, where, "missing_media", f"no recording {row.get('recording_id')}")
            continue
        manifest, recording = found[0]
        if any(each != found[0] for each in found):
            yield Rejected(ident, where, "bad_row", f"several recordings {row['recording_id']}, which differ")
            continue
        try:
            start = float(row["start"])
            end = start + float(row["duration"])
            yield _utterance(tree, manifest, ident, where, row, recording, start, end, row.get("channel"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            yield Rejected(ident, where, "bad_row", f"{type(error).__name__}: {error}")


def _beside(name: str, found: Sequence[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """The recordings of one id that are listed in the folder of a manifest, or all where there are none, each with its folder."""
    places = [(manifest.rpartition("/")[0], manifest, row) for manifest, row in found]
    near = [place for place in places if place[0] == name.rpartition("/")[0]] or places
    first = {folder: manifest for folder, manifest, _ in reversed(near)}
    return [(first[folder], row) for folder, _, row in near]


def _utterance(
    tree: Tree,
    manifest: str,
    ident: str,
    where: str,
    supervision: Mapping[str, Any],
    recording: Mapping[str, Any],
    start: float,
    end: float,
    channel: int | list[int] | None,
) -> Parsed:
    sources = recording["sources"]
    if len(sources) != 1 or sources[0]["type"] != "file" or recording.get("transforms"):
        return Rejected(ident, where, "bad_path", f"a recording that is no plain file: {str(sources)[:120]}")
    file = media_name(tree, manifest, sources[0]["source"])
    speaker = supervision.get("speaker")
    text = str(supervision.get("text") or "")
    is_whole = start == 0 and abs(end - float(recording["duration"])) < 1e-3
    side = (
        channel
        if isinstance(channel, int) and len(recording.get("channel_ids") or sources[0]["channels"]) > 1
        else None
    )
    begin, until = (None, None) if is_whole else (start, end)
    number = None if side is None else str(side + 1)  # counted from 0 there
    return Spoken(ident, where, file, text, None if speaker is None else str(speaker), begin, until, number)
