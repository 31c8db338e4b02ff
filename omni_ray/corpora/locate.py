"""Finding a corpus's bytes: in the source the user gave, in the downloads folder, or on the network."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Required, TypedDict

from omni_ray.corpora.base import Corpus, Download, Rejected, SourceOptions, UnitDraft, Wrapped, downloads_folder
from omni_ray.corpora.evaluation import DROP, TRAIN, splits_in
from omni_ray.corpora.registry import all_corpora
from omni_ray.corpora.table_repeats import set_repeats_aside, text_units
from omni_ray.corpora.table_rows import FORMS, rows_of
from omni_ray.corpora.table_slices import media_units, read_slice
from omni_ray.corpora.wanted import agreed, is_begun_of, published, wanted
from omni_ray.errors import SourceError
from omni_ray.records import Agree
from omni_ray.sources import huggingface, open_tree, path_of, with_media_root
from omni_ray.sources.census import Claims, account
from omni_ray.sources.download import fetch, is_there
from omni_ray.sources.furniture import is_documentation, is_furniture
from omni_ray.sources.remote import RemoteTree, is_remote
from omni_ray.sources.tables import is_of_split, table_format
from omni_ray.trainers.files import PRODUCTION
from omni_ray.unread import Files

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from omni_ray.sources.tree import Tree


_MOST_SHOWN = 3
"""Groups of files that an error names."""


@dataclass
class LocatedCorpus:
    """Where a corpus is and what is in it.

    Attributes:
        drafts: its units, in canonical order.
        reader: reads those units; the corpus itself, or the corpus as a table.
        splits: the splits that were asked for; empty for the usual ones.
    """

    tree: Tree
    drafts: Iterator[UnitDraft]
    reader: Corpus
    splits: tuple[str, ...] = ()
    evaluation: str = TRAIN
    _measured: dict[str, None] = field(default_factory=dict)
    _claims: Claims = field(default_factory=Claims)
    _dropped: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.drafts = self._watched(self.drafts)

    def _watched(self, drafts: Iterator[UnitDraft]) -> Iterator[UnitDraft]:
        place = self.tree.location.rstrip("/").rpartition("/")[2]
        whole = splits_in([f"{place}/", place])
        for draft in drafts:
            names = [self.tree.canonical(name) for name in (*draft.inputs, *draft.reads)]
            of = draft.evaluation or whole or splits_in(draft.reads[:1] or draft.inputs[: len(draft.inputs) == 1])
            self._measured.update(dict.fromkeys(of))
            if of and self.evaluation == DROP:
                self._dropped.update(map(hash, names))
                continue
            self._claims.add(names)
            yield draft if of == draft.evaluation else replace(draft, evaluation=of)

    def measured(self) -> tuple[str, ...]:
        """The evaluation splits that the source holds, read or dropped; call it once all drafts are taken."""
        return tuple(self._measured)

    def reads(self) -> NDArray[np.int64]:
        """A number for each file that is read, the same for the same name while this process lives; call it once all
        drafts are taken."""
        return self._claims.sorted()

    def _why_unread(self, name: str) -> str:
        return "evaluation" if hash(name) in self._dropped else self.reader.why_unread(name)

    def files(self) -> Files:
        """Which files of the source are read and which are not; call it once all drafts are taken."""
        return account(self.tree, self._claims, self.reader.modality, self._why_unread, bool(self.splits))


def fetched_folder(root: Path, corpus: Corpus) -> Path:
    """Where a corpus keeps what it fetches record by record: not among the files that it reads."""
    return root / "data" / "downloads" / f"{corpus.name}-fetched"


class HowToFetch(TypedDict, total=False):
    """The keywords of :func:`locate`."""

    cache: Required[Path]
    download: bool
    redownload: bool
    limit: int | None
    agree: Agree
    say: Callable[[str], None]


def locate(
    corpus: Corpus,
    root: Path,
    source: str | None,
    options: SourceOptions,
    *,
    cache: Path,
    download: bool = True,
    redownload: bool = False,
    limit: int | None = None,
    agree: Agree = lambda sentence, size: True,
    say: Callable[[str], None] = lambda text: None,
) -> LocatedCorpus:
    """Find and index ``corpus``.

    Args:
        source: what the user gave, or None for the downloads folder.
        cache: folder for archive listings.
        download: fetch what is missing.
        redownload: fetch what is there, too.
        limit: how many samples are wanted; parts that they do not need are not fetched.
        agree: called before something large is fetched.
        say: called when something is fetched or looked through.

    Raises:
        SourceError: it is not there, or not laid out as the corpus needs.
        OmniError: it cannot be fetched, or is not meant to be.
    """
    if options.languages and not (corpus.has_languages or corpus.language):
        raise SourceError(f"{corpus.name}: has no folders of languages to choose from with --language")

    is_hub = source is not None and huggingface.looks_like_hub_id(source)
    if options.configuration and not is_hub and not (source and Path(source).expanduser().is_dir()):
        where = source or f"the download of {corpus.name}"
        raise SourceError(
            f"--config {options.configuration}: {where} is neither a dataset on the hub nor a folder of one"
        )
    if download:
        options = replace(options, fetched=str(fetched_folder(root, corpus).absolute()))
    if source is not None:
        return _in_source(corpus, root, source, options, cache, say)
    return _in_downloads(corpus, root, options, cache, download, redownload, limit, agree, say)


def _in_source(
    corpus: Corpus, root: Path, source: str, options: SourceOptions, cache: Path, say: Callable[[str], None]
) -> LocatedCorpus:
    if huggingface.looks_like_hub_id(source):
        tree = huggingface.resolve(
            source,
            folder=root / "data" / "downloads" / "hf",
            configuration=options.configuration,
            splits=options.splits,
            cache=cache,
            say=say,
        )
        options = replace(options, splits=_still_to_choose(tree, options.splits))
        return _index(corpus, tree, options, say) or _wrong_layout(corpus, tree)
    project = _project(corpus, root, source)
    for place in [project] if project else _places(corpus, source):
        tree, rest = _opened(place, cache, options, say)
        found = _index(corpus, tree, rest, say)
        if found is not None:
            return found
    return _wrong_layout(corpus, tree if str(place) == str(source) else _opened(source, cache, options, say)[0])


def _in_downloads(
    corpus: Corpus,
    root: Path,
    options: SourceOptions,
    cache: Path,
    download: bool,
    redownload: bool,
    limit: int | None,
    agree: Agree,
    say: Callable[[str], None],
) -> LocatedCorpus:
    folder = downloads_folder(root, corpus)

    def to_fetch() -> list[Download]:
        files = published(corpus, folder, options.splits, again=redownload, say=say)
        return wanted(corpus, options.splits, limit, files)

    needed = to_fetch() if download and (redownload or is_begun_of(corpus, folder)) else []
    if redownload and needed:
        agreed(corpus, needed, folder, agree, say)
        fetch(needed, folder, again=True, say=say)
    missing = [each for each in needed if not is_there(each, folder)]
    if missing:
        # A download that was interrupted: what is there may look like the corpus, but is not all of it.
        say(
            f"{corpus.name}: {len(missing)} of {len(needed)} files are still missing in {folder}; fetching "
            "them (--skip-download takes what is there)"
        )
        agreed(corpus, missing, folder, agree, say)
        fetch(missing, folder, say=say)
    found = None
    if folder.is_dir():
        found = _index(corpus, open_tree(folder, cache, follow_links=options.follow_links), options, say)
    if found is not None:
        return found
    if not corpus.downloads and corpus.catalogue is None:
        raise SourceError(
            f"{corpus.name}: not found in {folder}. {corpus.manual} Put it there, or say where it is with --source"
        )
    if not download:
        raise SourceError(f"{corpus.name}: not found in {folder}, and downloading is switched off")
    needed = to_fetch()
    agreed(corpus, [each for each in needed if not is_there(each, folder)], folder, agree, say)
    fetch(needed, folder, say=say)
    tree = open_tree(folder, cache, follow_links=options.follow_links)
    return _index(corpus, tree, options, say) or _wrong_layout(corpus, tree)


def _opened(source: str, cache: Path, options: SourceOptions, say: Callable[[str], None]) -> tuple[Tree, SourceOptions]:
    """A source that is there, and what is still to be chosen of it."""
    folder = path_of(source)
    if folder.is_dir():
        tree = huggingface.open_folder(
            folder,
            cache,
            follow_links=options.follow_links,
            configuration=options.configuration,
            splits=options.splits,
            say=say,
        )
        if tree is not None:
            tree.location = source
            return tree, replace(options, splits=_still_to_choose(tree, options.splits))
    return open_tree(source, cache, follow_links=options.follow_links), options


def _still_to_choose(tree: Tree, splits: tuple[str, ...]) -> tuple[str, ...]:
    """The splits, where names tell; none where the dataset's card has said which files they are."""
    tables = [name for name in tree.names() if table_format(name)]
    return splits if all(any(is_of_split(name, split) for split in splits) for name in tables) else ()


def _project(corpus: Corpus, root: Path, source: str) -> str | None:
    """Where another project has its training files, given the project or its data; None where it is none, or this one.

    Its shards, downloads and corpus files hold the same records again.
    """
    folder = path_of(source)
    for data in (folder / "data", folder):
        place = data / corpus.modality
        is_made = (data / ".omni").is_dir() and any(place.glob(f"{PRODUCTION}*"))
        if is_made and not corpus.in_all and data.resolve() != (root / "data").resolve():
            return str(place)
    return None


def _places(corpus: Corpus, source: str) -> Iterator[str]:
    """Where to look, in order: the source, and the folder in it that is named after the corpus.

    A folder of many corpora holds each in a folder of its name, and that one is meant first. Beside things that are
    no corpora (a library with folders books, essays and letters) it is a part, and the whole is meant.
    """
    named, others = _by_name(corpus, source)
    base, question, options = source.partition("?") if is_remote(source) else (source, "", "")
    inside = [f"{base.rstrip('/')}/{name}{question}{options}" for name in named]
    has_data = any(not is_furniture(name) and not is_documentation(name) for name in others)
    yield from [source, *inside] if has_data and not _are_corpora(others) else [*inside, source]


def _by_name(corpus: Corpus, source: str) -> tuple[list[str], list[str]]:
    """The folders in a source that are named after the corpus, and what else is there."""
    folder = path_of(source)
    if is_remote(source):
        folders, files = RemoteTree(source).children("")  # archives as files: a folder within one is no place
    elif folder.is_dir():
        try:
            with os.scandir(folder) as entries:
                there = sorted((entry.name, entry.is_dir()) for entry in entries)
        except PermissionError:
            raise SourceError(f"{source}: no permission to read this folder") from None
        folders, files = ([name for name, is_folder in there if is_folder is kind] for kind in (True, False))
    else:
        return [], []
    named = [name for name in folders if _plain(name) == _plain(corpus.name)]
    return named, [name for name in (*folders, *files) if name not in named]


def _are_corpora(names: Iterable[str]) -> bool:
    """Whether one of these is named after a corpus or a modality."""
    known = {_plain(name) for corpus in all_corpora() for name in (corpus.name, corpus.modality)}
    return any(_plain(name) in known for name in names)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _index(corpus: Corpus, tree: Tree, options: SourceOptions, say: Callable[[str], None]) -> LocatedCorpus | None:
    """The corpus in its native layout, else as a table; None where the tree holds neither."""
    if options.media_root is not None:
        tree = with_media_root(tree, options.media_root, options.follow_links)
    tree.say = say
    native = _peek(corpus.units(tree, options))
    if native is not None:
        if options.keep_columns and not corpus.keeps_columns:
            raise SourceError(
                f"{corpus.name}: as it is laid out here it has no further columns to keep; leave out --keep-columns"
            )
        return LocatedCorpus(tree, native, corpus, options.splits, options.evaluation)
    if corpus.columns:
        table = AsTable(corpus)
        rows = _peek(table.units(tree, options))
        if rows is not None:
            return LocatedCorpus(tree, rows, table, options.splits, options.evaluation)
    return None


def _peek(drafts: Iterator[UnitDraft]) -> Iterator[UnitDraft] | None:
    first = next(drafts, None)
    return None if first is None else itertools.chain([first], drafts)


def _wrong_layout(corpus: Corpus, tree: Tree) -> LocatedCorpus:
    there = account(tree, Claims(), corpus.modality, corpus.why_unread).unread[:_MOST_SHOWN]
    what = f"; not read there: {'; '.join(group.sentence for group in there)}" if there else ""
    if any(group.reason == "no_media" for group in there):
        what += "; --media-root FOLDER says where other media are"
    raise SourceError(f"{corpus.name}: {tree.location} does not hold it; looked for {corpus.layout}{what}")


class AsTable(Wrapped):
    """A corpus whose records are the rows of a table (Parquet, JSONL, CSV, Hugging Face), columns named by role."""

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        options = self.corpus.table_options([name for name in tree.names() if table_format(name)], options)
        form = FORMS.get(self.modality)
        if form is None:
            drafts = text_units(tree, self.corpus.columns, options)
        else:
            repeated = set_repeats_aside(tree, self.corpus.columns, options, form.role)
            drafts = media_units(tree, self.corpus.columns, options, form, repeated)
        return (replace(draft, evaluation=splits_in(draft.inputs[:1])) for draft in drafts)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected | pa.Table]:
        return rows_of(tree, payload["table"]["file"], read_slice(tree, payload), self.modality)

    def why_unread(self, name: str) -> str:
        why = self.corpus.why_unread(name)
        return "" if why == "no_media" else why
