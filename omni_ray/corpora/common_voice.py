"""Common Voice: crowd-sourced speech in many languages, a folder a language, TSV lists beside ``clips/``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Options, Rejected, UnitDraft
from omni_ray.corpora.media import fetch
from omni_ray.errors import SourceError
from omni_ray.sources.lists import Seen, line_ranges, read_range
from omni_ray.sources.tree import Tree

_CLIPS_PER_UNIT = 128
_DEFAULT_SPLITS = (("validated",), ("train", "dev", "test"), ("other",))


class CommonVoice(Corpus):
    """Languages in order of name, clips in list order. Columns are found by name: releases differ."""

    name = "common_voice"
    modality = "audio"
    title = "Mozilla Common Voice"
    licence = "CC0"
    homepage = "https://commonvoice.mozilla.org"
    size = "English 22.0: 87 GB, 2.6 M clips; other languages less"
    layout = "<release>/<language>/validated.tsv beside clips/*.mp3, or the archive of it"
    manual = "Download a language's release from commonvoice.mozilla.org/datasets (it asks for an e-mail address)."
    columns = {
        "audio": ("audio", "path"),
        "text": ("sentence", "text", "transcription"),
        "speaker": ("client_id",),
        "id": ("id",),
    }

    def units(self, tree: Tree, options: Options) -> Iterator[UnitDraft]:
        for folder, folders, files in tree.walk():
            lists = {name.removesuffix(".tsv") for name in files if name.endswith(".tsv")}
            if "clips" not in folders or not lists:
                continue
            folders.remove("clips")  # millions of files that nobody needs to list
            seen = Seen()
            for split in _splits(lists, options.splits, folder, tree.location):
                yield from _units_of_list(tree, f"{folder}/{split}.tsv".lstrip("/"), options, seen)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        name, columns = payload["list"], payload["columns"]
        prefix = name.rpartition("/")[0]
        for number, line in read_range(tree, name, *payload["span"]):
            if line.strip():
                yield _record(tree, prefix, columns, f"{name}:{number}", line, number in payload["again"])


def _splits(there: set[str], wanted: tuple[str, ...], folder: str, location: str) -> list[str]:
    if wanted:
        return [split for split in wanted if split in there]
    for splits in _DEFAULT_SPLITS:
        found = [split for split in splits if split in there]
        if found:
            return found
    raise SourceError(f"common_voice: {location}/{folder} has none of validated.tsv, train.tsv, other.tsv")


def _units_of_list(tree: Tree, name: str, options: Options, seen: Seen) -> Iterator[UnitDraft]:
    with tree.open(name) as file:
        header = file.readline().decode("utf-8-sig", "replace").rstrip("\r\n").split("\t")
    missing = {"path", "sentence"} - set(header)
    if missing:
        raise SourceError(
            f"common_voice: {name} has no column {' or '.join(sorted(missing))}; it has {', '.join(header)}"
        )
    columns = {key: header.index(key) for key in ("path", "sentence", "client_id") if key in header}
    clips_folder = f"{name.rpartition('/')[0]}/clips".lstrip("/")
    for part in line_ranges(tree, name, options.records_per_unit(_CLIPS_PER_UNIT), skip=1):
        rows = [(n, row) for n, row in read_range(tree, name, part.start, part.end, part.first) if row.strip()]
        paths = [(n, _field(row.split(b"\t"), columns["path"])) for n, row in rows]
        again = [n for n, path in paths if path and seen.again(path)]
        clips = tuple(f"{clips_folder}/{_with_ending(path.decode('utf-8', 'replace'))}" for _, path in paths if path)
        payload = {"list": name, "columns": columns, "span": [part.start, part.end, part.first], "again": again}
        yield UnitDraft(payload, (name, *clips), len(rows), len(rows))


def _field(fields: list[bytes], index: int) -> bytes:
    return fields[index].strip() if index < len(fields) else b""


def _with_ending(path: str) -> str:
    return path if "." in path.rpartition("/")[2] else f"{path}.mp3"


def _record(
    tree: Tree, prefix: str, columns: Mapping[str, int], where: str, line: bytes, is_again: bool
) -> dict[str, Any] | Rejected:
    # No quoting: sentences hold unbalanced quotation marks.
    fields = line.split(b"\t")
    path = _field(fields, columns["path"])
    clip = _with_ending(path.decode("utf-8", "replace"))
    ident = clip.rpartition("/")[2].rpartition(".")[0]
    if len(fields) <= max(columns["path"], columns["sentence"]) or not path:
        return Rejected(ident or where, where, "bad_row", f"{len(fields)} columns")
    if is_again:
        return Rejected(ident, where, "duplicate_id")
    try:
        text = _field(fields, columns["sentence"]).decode("utf-8")
    except UnicodeDecodeError as error:
        return Rejected(ident, where, "bad_encoding", str(error))
    if not text:
        return Rejected(ident, where, "missing_text", "the sentence is blank")
    audio = fetch(tree, f"{prefix}/clips/{clip}".lstrip("/"), ident, where)
    if isinstance(audio, Rejected):
        return audio
    speaker = _field(fields, columns["client_id"]).decode("utf-8", "replace") if "client_id" in columns else None
    language = prefix.rpartition("/")[2]
    return {
        "id": ident,
        "where": where,
        "audio": audio,
        "path": f"{language}/{clip}".lstrip("/"),
        "text": text,
        "speaker": speaker or None,
    }
