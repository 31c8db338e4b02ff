"""Hugging Face datasets: on the hub, or in a local folder.

Local forms need no code of their own: Parquet files, ``save_to_disk`` folders (Arrow files), ``audiofolder`` and
``imagefolder`` (a metadata table beside the media) are tables in a tree, and are read as such. For ``org/name``,
the tables of one pinned commit are fetched from the hub once, resumably, into the downloads folder, and are a tree from
then on. For ``hf://datasets/org/name``, nothing is fetched: workers read just the parts that they need, when needed.

Nothing of a dataset is ever executed: a repository that holds only a loading script is refused.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omni_ray.errors import OmniError, SourceError
from omni_ray.media_names import is_safe_name
from omni_ray.sources import open_tree
from omni_ray.sources.furniture import is_documentation
from omni_ray.sources.hub_splits import Chosen, choose, configurations, folders_of
from omni_ray.sources.kinds import kind_of
from omni_ray.sources.links import snapshot_of
from omni_ray.sources.remote import HUB, RemoteTree
from omni_ray.sources.tables import table_format
from omni_ray.sources.tree import FolderTree, Tree
from omni_ray.storage import remove_temporaries, write_atomic

_PREFIXES = ("hf://datasets/", "hf://")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_AT_ONCE = 8
"""The number of files that are fetched at a time."""
_CONVERTED = "refs/convert/parquet"
"""The branch on which the hub keeps Parquet copies of datasets that come in other forms."""


@dataclass(frozen=True)
class HubName:
    """A dataset on the hub: ``org/name``, with optional revision and folder (``org/name@revision/folder``)."""

    repository: str
    revision: str | None = None
    folder: str = ""

    @classmethod
    def parse(cls, text: str) -> HubName:
        """Read ``[hf://datasets/]org/name[@revision][/folder]``. Raises OmniError."""
        rest = text
        for prefix in _PREFIXES:
            rest = rest.removeprefix(prefix)
        parts = rest.split("/")
        if len(parts) < 2 or not _NAME.fullmatch("/".join(parts[:2]).partition("@")[0]):
            raise OmniError(f"{text}: not a Hugging Face dataset; write org/name or hf://datasets/org/name/folder")
        name, _, revision = parts[1].partition("@")
        return cls(f"{parts[0]}/{name}", revision or None, "/".join(parts[2:]).rstrip("/"))

    @property
    def inside(self) -> str:
        """How the names of the files in the folder begin."""
        return f"{self.folder}/" if self.folder else ""


def looks_like_hub_id(text: str) -> bool:
    """Whether a source is meant for the hub: ``hf://...``, or ``org/name`` that is no local path."""
    if text.startswith("hf://"):
        return True
    return bool(_NAME.fullmatch(text)) and not Path(text).expanduser().exists()


def resolve(
    source: str,
    *,
    folder: Path,
    configuration: str = "",
    splits: tuple[str, ...] = (),
    cache: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Tree:
    """A hub dataset's tables as a tree: fetched, or (``hf://``) read where they are.

    Honours ``HF_ENDPOINT``, ``HF_HUB_OFFLINE`` and ``HF_TOKEN``, which is never printed.

    Args:
        source: ``org/name``, ``hf://datasets/org/name@revision/folder``.
        folder: where the files go, below ``<org>--<name>/<commit>``.
        configuration: one of those of its card, or the folder of that name; "" for the card's default, else all.
        splits: only the files of these, as the card or their folders and names say.
        cache: folder for listings of its archives.

    Raises:
        OmniError: the hub is out of reach, or the dataset is missing, gated, or without tables.
    """
    name = HubName.parse(source)
    kept = folder / name.repository.replace("/", "--")
    commit, files, fetch = _offline(name, kept) if _is_offline() else _online(name)
    is_streamed = source.startswith(HUB) and not _is_offline()
    with TemporaryDirectory() as passing:
        cards = Path(passing) if is_streamed else kept / "cards" / commit
        card = "" if name.folder and not configuration else _card(files, cards, fetch)
    data = [file for file in files if file.startswith(name.inside) and is_safe_name(file) and _is_data(file)]
    if not data:
        raise SourceError(_without_tables(name, files))
    found = choose(name.repository, data, card, configuration, splits)
    _say_others(name.repository, found, say)
    shown = [file.removeprefix(name.inside) for file in found.files]
    if is_streamed:
        tree: Tree = _streamed(name, commit, shown)
    else:
        place = kept / commit
        if not _is_offline():
            _note(name, kept, commit, files)
        missing = [file for file in found.files if not (place / file).is_file()]
        if missing:
            say(f"{name.repository}: fetching {len(missing)} files at {commit[:10]} into {place}")
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for done in [pool.submit(fetch, file, place) for file in missing]:
                done.result()
        there = set(shown)
        tree = open_tree(place / name.folder, cache, hidden=lambda file: None if file in there else "")
    tree.location = f"{name.repository}@{commit[:10]}"
    # Where a part was chosen, the other parts are nobody's concern.
    is_part = bool(splits or configuration or found.others)
    left = set(files).difference(found.files, data if is_part else ())
    tree.unfetched = [file for file in files if file in left and file.startswith(name.inside)]
    return tree


def _say_others(place: str, found: Chosen, say: Callable[[str], None]) -> None:
    if found.others:
        others = ", ".join(found.others[:20])
        say(f"{place}: configuration {found.configuration}; not read: {others} (--config NAME)")


def _card(files: Sequence[str], place: Path, fetch: Callable[[str, Path], None]) -> str:
    """The text of a dataset's card, "" where it has none, or it was not fetched before the network went down."""
    card = place / "README.md"
    if "README.md" in files and not card.is_file() and not _is_offline():
        fetch("README.md", place)
    return _text(card)


def _text(card: Path) -> str:
    return card.read_text("utf-8", "replace") if card.is_file() else ""


def _streamed(name: HubName, commit: str, shown: Sequence[str]) -> Tree:
    with _one_line(name):
        tree = RemoteTree(f"{_PREFIXES[0]}{name.repository}@{commit}/{name.folder}".rstrip("/"), only="")
        tree.show_only(shown)
    return tree


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "TRUE", "YES", "ON"}


def _note(name: HubName, kept: Path, commit: str, files: Sequence[str]) -> None:
    """Remember what a commit holds, and under what name it was requested, for when there is no network."""
    remove_temporaries(kept)
    note = kept / f"{commit}.json"
    asked = set(_load(note).get("revisions", ())) | {name.revision or ""}
    write_atomic(note, json.dumps({"revisions": sorted(asked), "files": list(files)}, indent=1).encode())


def _load(note: Path) -> dict[str, Any]:
    try:
        found = json.loads(note.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _offline(name: HubName, kept: Path) -> tuple[str, list[str], Callable[[str, Path], None]]:
    """The commit that the revision stood for when it was last requested, and its files, fetched or not."""
    notes = sorted(kept.glob("*.json"), key=lambda note: note.stat().st_mtime_ns, reverse=True)
    asked = name.revision or ""
    for note in notes:
        known = _load(note)
        if asked in known.get("revisions", ()) or (asked and note.stem.startswith(asked)):

            def refuse(file: str, place: Path) -> None:
                raise SourceError(f"{name.repository}: HF_HUB_OFFLINE is set, and {file} is not in {place}")

            return note.stem, known["files"], refuse
    what = f"no revision {asked}" if asked else "nothing"
    raise SourceError(
        f"{name.repository}: HF_HUB_OFFLINE is set, and {what} of it was fetched to {kept}; unset it, or give a local "
        "folder with --source"
    )


def _online(name: HubName) -> tuple[str, list[str], Callable[[str, Path], None]]:
    """The commit, its files, and how to fetch one: the dataset's own tables, else the hub's Parquet copies."""
    from huggingface_hub import HfApi, hf_hub_download

    api = HfApi(library_name="omni_ray")

    def listed(revision: str | None) -> tuple[str, list[str]]:
        info = api.dataset_info(name.repository, revision=revision, timeout=30)
        return str(info.sha), [sibling.rfilename for sibling in info.siblings or []]

    with _one_line(name):
        commit, files = listed(name.revision)
        if not any(_is_told(file) for file in files if is_safe_name(file)):
            scripts = [file for file in files if file.endswith(".py")]
            try:
                commit, files = listed(_CONVERTED)
            except Exception as error:
                if scripts and type(error).__name__ in {"RevisionNotFoundError", "RepositoryNotFoundError"}:
                    raise SourceError(
                        f"{name.repository} holds only a loading script ({scripts[0]}), and scripts of datasets are "
                        "never run; look for a Parquet copy of it on the hub"
                    ) from error
                raise

    def fetch(file: str, place: Path) -> None:
        with _one_line(name):
            hf_hub_download(name.repository, file, repo_type="dataset", revision=commit, local_dir=place)

    return commit, files, fetch


def _is_data(file: str) -> bool:
    """Tables, texts and archives, and media that a metadata table may name."""
    kind = kind_of(file)
    return _is_told(file) or (kind.holds in {"audio", "picture"} and not kind.label)


def _is_told(file: str) -> bool:
    """Whether a file may mean something on its own, unlike media."""
    kind = kind_of(file)
    is_text = kind.holds in {"lines", "archive"} and not kind.label
    return table_format(file) is not None or (is_text and not is_documentation(file.rpartition("/")[2]))


def open_folder(
    folder: Path,
    cache: Path,
    *,
    follow_links: bool = False,
    configuration: str = "",
    splits: tuple[str, ...] = (),
    say: Callable[[str], None] = lambda text: None,
) -> Tree | None:
    """A dataset of the hub that was fetched by other means, its files chosen as its card says; None for any other folder.

    Args:
        cache, follow_links: as for :func:`omni_ray.sources.open_tree`.
        configuration, splits, say: as for :func:`resolve`.

    Raises:
        SourceError: there is no such configuration or split, or configurations share files and none was named.
    """
    folder = snapshot_of(folder)
    card = _text(folder / "README.md")
    known = configurations(card)
    if not known and not configuration:
        return None
    data = [file for file in FolderTree(folder, follow_links).names() if _is_data(file)]
    found = choose(str(folder), data, card, configuration, splits if known else ())
    _say_others(str(folder), found, say)
    left = set(data).difference(found.files)
    return open_tree(folder, cache, follow_links=follow_links, hidden=lambda file: "split" if file in left else None)


def _without_tables(name: HubName, files: Sequence[str]) -> str:
    tables = [file for file in files if is_safe_name(file) and table_format(file)]
    if tables:
        return f"{name.repository}: no table in {name.folder}; there are tables in: {folders_of(tables)}"
    return f"{name.repository}: no table (Parquet, Arrow, JSON Lines, CSV), text or archive in it"


@contextmanager
def _one_line(name: HubName) -> Iterator[None]:
    """The error of the hub's client as one sentence that says what to do."""
    try:
        yield
    except OmniError:
        raise
    except Exception as error:
        raise SourceError(f"{name.repository}: {_why(error)}") from error


def _why(error: Exception) -> str:
    names = {each.__name__ for each in type(error).__mro__}
    if "GatedRepoError" in names:
        return "access must be asked for on its page; then set HF_TOKEN"
    if "RepositoryNotFoundError" in names:
        return "no such folder here, and no such dataset on the hub, or a private one: check the name, or set HF_TOKEN"
    if "RevisionNotFoundError" in names:
        return "no such revision; leave out @revision for the newest"
    first = str(error).strip().partition("\n")[0][:160]
    return f"the hub is out of reach ({first}); check the network and HF_ENDPOINT, or give a local --source"
