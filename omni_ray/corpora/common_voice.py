"""Common Voice: crowd-sourced speech in many languages, a folder for each language, TSV lists beside ``clips/``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.bounds import UnitBounds, media_weight
from omni_ray.corpora.evaluation import TRAIN, splits_in
from omni_ray.corpora.media import with_medium
from omni_ray.corpora.named_again import Firsts, apart
from omni_ray.errors import SourceError
from omni_ray.records import EXTRA
from omni_ray.sources.extra import extra_text, rest_of
from omni_ray.sources.lists import MAX_LINE_BYTES, line_ranges, open_list, read_range
from omni_ray.sources.rooted import RootedTree
from omni_ray.sources.tables import is_of_split
from omni_ray.sources.tree import Tree

_CLIPS_PER_UNIT = 128
_TO_MEASURE_ON = ("dev", "validation", "test")
_DEFAULT_SPLITS = (("validated",), ("train", "dev", "validation", "test"), ("other",))
_ALL_SPLITS = (*(split for splits in _DEFAULT_SPLITS for split in splits), "invalidated", "reported")


class CommonVoice(Corpus):
    """Languages in order of name, clips in list order. Columns are found by name: releases differ."""

    name = "common_voice"
    modality = "audio"
    title = "Mozilla Common Voice"
    licence = "CC0"
    homepage = "https://commonvoice.mozilla.org"
    size = "English 22.0: 87 GB, 2.6 M clips; other languages less"
    layout = "<release>/<language>/validated.tsv beside clips/*.mp3, or the archive of it"
    version = 2
    manual = "Download a language's release from commonvoice.mozilla.org/datasets (it asks for an e-mail address)."
    has_languages = True
    keeps_columns = True
    columns = {
        "audio": ("audio", "path"),
        "text": ("sentence", "text", "transcription"),
        "speaker": ("client_id",),
        "id": ("id",),
    }

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        firsts = Firsts()
        there: set[str] = set()
        languages: set[str] = set()
        is_empty = True
        for folder, folders, files in tree.walk():
            lists = {name.removesuffix(".tsv") for name in files if name.endswith(".tsv")}
            is_elsewhere = isinstance(tree, RootedTree) and bool(lists & {"validated", "train"})
            if not lists or not ("clips" in folders or is_elsewhere):
                continue
            folders[:] = [name for name in folders if name != "clips"]  # millions of files that nobody needs to list
            language = folder.rpartition("/")[2] or tree.location.rstrip("/").rpartition("/")[2]
            languages.add(language)
            if not options.is_wanted_language(language):
                continue
            there |= lists
            chosen = _splits(lists, options.splits, f"{tree.location}/{folder}".rstrip("/"))
            measured = _Measured(tree, folder, lists if "validated" in chosen else set())
            if options.evaluation != TRAIN:
                chosen += [split for split in measured.splits if split not in chosen]
            for split in chosen:
                is_empty = False
                yield from _units_of_list(tree, f"{folder}/{split}.tsv".lstrip("/"), options, firsts, measured)
        if languages and not there:
            raise SourceError(
                f"common_voice: {tree.location} has no language {' or '.join(options.languages)}; "
                f"there are {', '.join(sorted(languages))}"
            )
        if there and is_empty:
            raise SourceError(
                f"common_voice: {tree.location} has no list {' or '.join(options.splits)}; "
                f"there are {', '.join(sorted(there))}"
            )

    def table_options(self, tables: list[str], options: SourceOptions) -> SourceOptions:
        """As with lists: the validated clips where there is such a table, never those that were voted down."""
        if options.splits:
            return options
        folders: dict[str, list[str]] = {}
        for name in tables:
            place = name.split("/")
            is_folder = any(place[-2:-1] == [split] for split in _ALL_SPLITS)
            folders.setdefault("/".join(place[: -2 if is_folder else -1]), []).append(name)
        chosen: set[tuple[str, ...]] = set()
        for folder, names in folders.items():
            if not options.is_wanted_language(folder):
                continue
            there = {split for split in _ALL_SPLITS if any(is_of_split(name, split) for name in names)}
            if options.evaluation != TRAIN and "train" in there and there & set(_TO_MEASURE_ON):
                there -= {"validated"}  # which has the others' clips, and does not tell them apart
            if there:
                chosen.add(tuple(_splits(there, (), folder or "the source")))
        if len(chosen) > 1:
            raise SourceError(
                "common_voice: its folders have different splits; say which are meant: "
                + " or ".join(" ".join(f"--split {split}" for split in splits) for splits in sorted(chosen))
            )
        return replace(options, splits=chosen.pop()) if chosen else options

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        name, columns = payload["list"], payload["columns"]
        again = dict(payload["again"])
        for number, line in read_range(tree, name, *payload["span"]):
            if line.strip() and number not in payload.get("elsewhere", ()):
                row = _record(tree, name, columns, f"{name}:{number}", line, again.get(number))
                yield (
                    {**row, EXTRA: _rest(payload["header"], line)}
                    if isinstance(row, dict) and "header" in payload
                    else row
                )

    def why_unread(self, name: str) -> str:
        """A release has several lists, and the clips of all of them."""
        is_list = "clips" in name.split("/")[:-1] or name.endswith(".tsv")
        return "split" if is_list or any(is_of_split(name, split) for split in _ALL_SPLITS) else ""


def _splits(there: set[str], wanted: tuple[str, ...], location: str) -> list[str]:
    if wanted:
        return [split for split in wanted if split in there]
    for splits in _DEFAULT_SPLITS:
        found = [split for split in splits if split in there]
        if found:
            return found
    raise SourceError(f"common_voice: {location} has none of validated, train, other; --split takes another one")


class _Measured:
    """The evaluation clips, which ``validated.tsv`` lists among all others."""

    def __init__(self, tree: Tree, folder: str, lists: set[str]) -> None:
        self.splits = [split for split in _TO_MEASURE_ON if split in lists]
        self._of: dict[str, str] = {}
        for split in self.splits:
            name = f"{folder}/{split}.tsv".lstrip("/")
            path = _columns(tree, name)["path"]
            for part in line_ranges(tree, name, lambda line: False, skip=1):
                for _, line in read_range(tree, name, *part.span):
                    self._of[_clip_name(_field(line.split(b"\t"), path))] = split

    def split_of(self, clip: str) -> str:
        """The evaluation split that a clip belongs to; "" for one to train on."""
        return self._of.get(clip, "")


def _header(tree: Tree, name: str) -> list[str]:
    with open_list(tree, name) as file:
        return file.readline(MAX_LINE_BYTES).decode("utf-8-sig", "replace").rstrip("\r\n").split("\t")


def _columns(tree: Tree, name: str) -> dict[str, int]:
    """The places of the columns of a list. Raises SourceError where one is missing."""
    header = _header(tree, name)
    missing = {"path", "sentence"} - set(header)
    if missing:
        raise SourceError(
            f"common_voice: {name} has no column {' or '.join(sorted(missing))}; it has {', '.join(header)[:200]}"
        )
    return {key: header.index(key) for key in ("path", "sentence", "client_id") if key in header}


def _units_of_list(
    tree: Tree, name: str, options: SourceOptions, firsts: Firsts, measured: _Measured
) -> Iterator[UnitDraft]:
    """Units of a list; those of ``validated.tsv`` leave out evaluation clips where these are not trained on."""
    columns = _columns(tree, name)
    clips_folder, language = _place(name)
    own = next(iter(splits_in([name.rpartition("/")[2]])), "")
    cut = UnitBounds(options, _CLIPS_PER_UNIT)

    def begins(line: bytes) -> bool:
        clip = _clip_name(_field(line.split(b"\t"), columns["path"]))
        return cut.before(media_weight(tree, f"{clips_folder}/{clip}"))

    for part in line_ranges(tree, name, begins, skip=1):
        rows = [(number, row.split(b"\t")) for number, row in read_range(tree, name, *part.span) if row.strip()]
        clips = [(number, _clip_name(_field(fields, columns["path"]))) for number, fields in rows]
        of = dict.fromkeys(split for _, clip in clips if (split := own or measured.split_of(clip)))
        elsewhere: list[int] = []
        if options.evaluation != TRAIN and not own and of:
            elsewhere = [number for number, clip in clips if measured.split_of(clip)]
            clips, of = [(number, clip) for number, clip in clips if not measured.split_of(clip)], {}
        if not clips:
            continue
        said = {number: _field(fields, columns["sentence"]) for number, fields in rows}
        again: list[tuple[int, str]] = []
        for number, clip in clips:
            first = firsts.before(_ident(clip, language), said[number], f"{clips_folder}/") if clip else None
            if first is not None:
                again.append((number, first and first + clip))
        files = tuple(f"{clips_folder}/{clip}" for _, clip in clips if clip)
        files += tuple(dict.fromkeys(before for _, before in again if before and before not in files))
        payload = {"list": name, "columns": columns, "span": part.span, "again": again}
        if options.keep_columns:
            payload["header"] = _header(tree, name)
        if elsewhere:
            payload["elsewhere"] = elsewhere
        yield UnitDraft(payload, (name, *files), len(clips), len(clips), evaluation=tuple(of))


def _place(name: str) -> tuple[str, str]:
    """The folder of the clips of a list, and the language, which is the list's folder."""
    folder = name.rpartition("/")[0]
    return f"{folder}/clips".lstrip("/"), folder.rpartition("/")[2]


def _field(fields: list[bytes], index: int) -> bytes:
    return fields[index].strip() if index < len(fields) else b""


def _clip_name(path: bytes) -> str:
    """The clip's file name; the first releases left out its ending."""
    name = path.decode("utf-8", "replace")
    return f"{name}.mp3" if name and "." not in name.rpartition("/")[2] else name


def _ident(clip: str, language: str) -> str:
    """The clip's name without its ending, and with its language, which it usually holds already."""
    stem = clip.rpartition(".")[0]
    return stem if not language or f"_{language}_" in stem else f"{language}/{stem}"


def _rest(header: list[str], line: bytes) -> str | None:
    """What else a list says about a clip: age, gender, accents, votes, ..."""
    fields = [field.decode("utf-8", "replace").strip() or None for field in line.split(b"\t")]
    return extra_text(rest_of(dict(zip(header, fields, strict=False)), ("path", "sentence", "client_id")))


def _record(
    tree: Tree, name: str, columns: Mapping[str, int], where: str, line: bytes, before: str | None
) -> dict[str, Any] | Rejected:
    # No quoting: sentences hold unbalanced quotation marks.
    fields = line.split(b"\t")
    clips_folder, language = _place(name)
    clip = _clip_name(_field(fields, columns["path"]))
    if not clip or len(fields) <= columns["sentence"]:
        return Rejected(clip or where, where, "bad_row", f"{len(fields)} columns")
    ident = _ident(clip, language)
    try:
        text = _field(fields, columns["sentence"]).decode("utf-8")
    except UnicodeDecodeError as error:
        return Rejected(ident, where, "bad_encoding", str(error))
    if not text:
        return Rejected(ident, where, "missing_text", "the sentence is blank")
    file = f"{clips_folder}/{clip}"
    speaker = _field(fields, columns["client_id"]).decode("utf-8", "replace") if "client_id" in columns else ""
    row = {
        "id": ident,
        "where": where,
        "path": f"{language}/{clip}".lstrip("/"),
        "text": text,
        "speaker": speaker or None,
    }
    return apart(tree, with_medium(tree, file, where, "audio", row), file, before)
