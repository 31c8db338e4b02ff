"""Lists of VITS, Coqui and Piper: ``path|text``, ``path|speaker|text`` or ``path|speaker|language|text``, without a header."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.spoken import Parse, Parsed, Spoken, list_records, list_units
from omni_ray.corpora.table_rows import media_name
from omni_ray.errors import SourceError
from omni_ray.sources.kinds import AUDIO
from omni_ray.sources.lists import open_list, text_of
from omni_ray.sources.tree import Tree

_ENDINGS = (".txt", ".csv", ".list", ".lst")
_HEAD_BYTES = 1 << 16
_FOLDERS = ("", "wavs/", "wav/", "audio/", "clips/")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z]{2,4})?")


class VoiceLists(Corpus):
    """Lists in order of name, clips in list order; a clip that several lists name is taken once."""

    name = "voice_lists"
    modality = "audio"
    title = "Lists of VITS, Coqui and Piper"
    licence = "yours"
    layout = "*.txt or metadata.csv of lines path|text, path|speaker|text or path|speaker|language|text, and the clips"
    in_all = False

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        lists = [name for name in tree.names() if name.lower().endswith(_ENDINGS)]
        if options.splits:
            lists = [name for name in lists if any(split in name for split in options.splits)]
        for name in lists:
            found = _layout(tree, name)
            if found is not None:
                yield from list_units(tree, name, _parser(tree, name, found), options, found)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        return list_records(tree, payload, _parser(tree, payload["list"], payload))


def _layout(tree: Tree, name: str) -> dict[str, Any] | None:
    """The folder of a list's clips, their ending where the list leaves it out, and its columns; None where it is no such list.

    Raises:
        SourceError: the clips are there, but which column is the text cannot be told.
    """
    with open_list(tree, name) as file:
        start = file.read(_HEAD_BYTES)
    lines = (start if len(start) < _HEAD_BYTES else start.rpartition(b"\n")[0]).splitlines()
    rows = [said.split("|") for line in lines if (said := text_of(line)) and said.strip()]
    alike = [row for row in rows if len(row) == len(rows[0])]
    if not rows or len(rows[0]) < 2 or 2 * len(alike) < len(rows):
        return None
    first = rows[0][0].strip()
    place = _place(tree, name, first)
    if place is None:
        if first.lower().endswith(AUDIO):
            tree.set_aside(name, "no_media")
        return None
    text, speaker = _columns(name, alike)
    return {"folder": place[0], "ending": place[1], "width": len(rows[0]), "text": text, "speaker": speaker}


def _place(tree: Tree, name: str, first: str) -> tuple[str | None, str] | None:
    """What comes before and after the name of a list's clip; None before it where it is a path, as tables have them."""
    beside = f"{name.rpartition('/')[0]}/".lstrip("/")
    endings = ("",) if first.lower().endswith(AUDIO) else (".wav", ".flac", ".mp3", ".ogg")
    tops = [*(beside + folder for folder in _FOLDERS), *_FOLDERS]
    places = ((top, end) for top in tops for end in endings if tree.exists(f"{top}{first.removeprefix('./')}{end}"))
    return next(places, (None, "") if tree.exists(media_name(tree, name, first)) else None)


def _columns(name: str, rows: list[list[str]]) -> tuple[int, int | None]:
    """Which columns are the text and the speaker."""
    width = len(rows[0])
    if width == 2:
        return 1, None
    said = [column for column in range(1, width) if 2 * sum(_is_speech(row[column]) for row in rows) > len(rows)]
    is_language = width > 3 and all(_LANGUAGE.fullmatch(row[2].strip()) for row in rows)
    if is_language and 3 in said:
        return 3, 1
    if width == 3 and said in ([1], [2]):
        return said[0], 3 - said[0]
    raise SourceError(f"{name}: of its {width} columns, which one is the text cannot be told; keep path|speaker|text")


def _is_speech(text: str) -> bool:
    """Whether a field is words, rather than a name or a number: several of them, or a script without spaces."""
    return len(text.split()) > 1 or len(re.findall(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]", text)) > 1


def _parser(tree: Tree, name: str, layout: Mapping[str, Any]) -> Parse:
    def parse(where: str, text: str) -> Parsed:
        fields = [field.strip() for field in text.split("|")]
        if len(fields) != layout["width"]:
            detail = f"{len(fields)} columns; the first line has {layout['width']}"
            return Rejected(fields[0] or where, where, "bad_row", detail)
        if layout["folder"] is None:
            file = media_name(tree, name, fields[0])
        else:
            file = layout["folder"] + fields[0].removeprefix("./") + layout["ending"]
        speaker = None if layout["speaker"] is None else fields[layout["speaker"]]
        return Spoken(fields[0], where, file, fields[layout["text"]], speaker or None)

    return parse
