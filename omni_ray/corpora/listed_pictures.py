"""Pictures with captions that one list names: its records as units, and the units as records."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omni_ray.corpora.base import Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.bounds import media_weight, runs
from omni_ray.corpora.media import is_input, with_medium
from omni_ray.corpora.picture_places import PictureFolders, find_places
from omni_ray.errors import SourceError
from omni_ray.records import EXTRA
from omni_ray.sources.captions import caption_texts
from omni_ray.sources.extra import extra_text
from omni_ray.sources.json_objects import Ambiguous, loads
from omni_ray.sources.tree import MemberDamaged, MemberTooLarge, Tree

_IMAGES_PER_UNIT = 256
_MAX_JSON_BYTES = 2 << 30


@dataclass
class Listed:
    """What a list says.

    Attributes:
        name: the list's file.
        split: what its pictures are called together: the first part of their ids and paths.
        images: [file, captions, problem] each, in order; the problem is a reason code, or "". What else the list says about
            a picture follows, as JSON, where it is to be kept.
        lost: [what, reason, detail] for each record that cannot be used.
        evaluation: the evaluation splits that some of its pictures belong to.
    """

    name: str
    split: str
    images: list[list[Any]] = field(default_factory=list)
    lost: list[list[str]] = field(default_factory=list)
    evaluation: tuple[str, ...] = ()

    def add(self, what: str, file: Any, value: Any, rest: Mapping[str, Any] | None = None) -> None:
        """A picture and what the list has for its captions; ``what`` names the record in messages, ``rest`` is what else to
        keep."""
        if not isinstance(file, str) or not file.strip():
            self.lost.append([what, "missing_media", f"{what} names no picture"])
            return
        captions, faults = caption_texts(value)
        self.lost += [[what, reason, f"{what}, {file}: {detail}"] for reason, detail in faults]
        if captions or not faults:
            self.images.append([file, captions, "", *kept(rest)])


def kept(rest: Mapping[str, Any] | None) -> list[str | None]:
    """What else of a list's picture is to be kept, at the end of its entry; nothing where that was not asked for."""
    return [] if rest is None else [extra_text(rest)]


def fault_of(value: Any) -> str:
    """Why an item of a list cannot be read, to end a sentence; "" where it can."""
    if isinstance(value, Ambiguous):
        return value.fault
    return "" if isinstance(value, dict) else "no object"


def lists_in(
    tree: Tree, pattern: re.Pattern[str], has_pictures: Callable[[str], bool] = lambda folder: False
) -> tuple[list[str], list[str]]:
    """The files whose name fits, and all folders, in which their pictures may be; those whose name says that they have
    pictures are not listed."""
    lists: list[str] = []
    places: list[str] = []
    for folder, folders, files in tree.walk():
        prefix = f"{folder}/" if folder else ""
        lists += [prefix + file for file in files if pattern.fullmatch(file)]
        places += [folder, *(prefix + name for name in folders if has_pictures(name))]
        folders[:] = [name for name in folders if not has_pictures(name)]
    return lists, places


def read_json(tree: Tree, name: str) -> Any:
    """A JSON list. Raises SourceError where it is not JSON, or an object that gives a name twice."""
    try:
        value = loads(tree.read(name, _MAX_JSON_BYTES))
    except (ValueError, RecursionError, MemberTooLarge, MemberDamaged) as error:
        raise SourceError(f"{tree.location}/{name} is not JSON ({str(error)[:100]})") from error
    if isinstance(value, Ambiguous):
        raise SourceError(f"{tree.location}/{name} is {value.fault}; give each a name of its own")
    return value


def units_of_lists(
    tree: Tree, folders: Sequence[str], lists: Iterable[Listed], corpus: str, options: SourceOptions
) -> Iterator[UnitDraft]:
    """Units of all lists whose pictures are there.

    Raises:
        SourceError: there are lists, and no pictures of any.
    """
    missing = []
    found = False
    for listed in lists:
        files = [file for file, _, problem, *_ in listed.images if not problem]
        places = find_places(tree, folders, listed.split, files)
        if places is None:
            missing.append(listed.name)
        else:
            found = True
            yield from listed_units(tree, listed, places, options)
    if missing and not found:
        raise SourceError(
            f"{corpus}: {tree.location} has {', '.join(dict.fromkeys(missing))}, but the pictures named there are in no "
            "folder beside; put them there, or say where they are: --media-root FOLDER"
        )


def listed_units(tree: Tree, listed: Listed, places: PictureFolders, options: SourceOptions) -> Iterator[UnitDraft]:
    """Units of a list's pictures, for :func:`read_listed`; its lost records are in the first."""
    parts = list(
        runs(listed.images, options, _IMAGES_PER_UNIT, lambda image: media_weight(tree, places.find(tree, image[0])))
    )
    for number, part in enumerate(parts or [[]]):
        lost = listed.lost if number == 0 else []
        payload = {
            "list": listed.name,
            "split": listed.split,
            "folders": places.folders,
            "images": part,
            "lost": lost,
        }
        captions = sum(len(each) for _, each, *_ in part)
        records = sum(max(1, len(each)) for _, each, *_ in part) + len(lost)
        inputs = tuple(name for file, *_ in part if is_input(tree, name := places.find(tree, file)))
        yield UnitDraft(payload, inputs, records, captions, (listed.name,), listed.evaluation)


def read_listed(tree: Tree, payload: Mapping[str, Any], category: str | None) -> Iterator[dict[str, Any] | Rejected]:
    """The records of one unit of :func:`listed_units`."""
    where, split = payload["list"], payload["split"]
    places = PictureFolders(tuple(payload["folders"]))
    for what, reason, detail in payload["lost"]:
        yield Rejected(f"{split}/{what}", where, reason, detail)
    for file, captions, problem, *extra in payload["images"]:
        shown = _within(split, file)
        ident = f"{split}/{shown.rpartition('.')[0] or shown}"
        records = max(1, len(captions))
        if problem or not captions:
            detail = file if problem else f"no caption names {file}"
            yield Rejected(ident, where, problem or "missing_text", detail, records)
            continue
        name = places.find(tree, file)
        row = {"id": ident, "where": f"{where}: {name}", "records": records, "path": f"{split}/{shown}"}
        row |= {"captions": captions, "category": category, EXTRA: extra[0] if extra else None}
        yield with_medium(tree, name, where, "image", row)


def _within(split: str, file: str) -> str:
    """A file's name within its split's folder: some lists give the folder, too, or a Windows program's path."""
    name = file.replace("\\", "/").removeprefix("./")
    return name[len(split) + 1 :] if name.lower().startswith(f"{split.lower()}/") else name
