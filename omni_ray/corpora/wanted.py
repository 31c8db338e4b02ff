"""Which files of a corpus are fetched, what that costs, and whether it is meant."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from omni_ray.corpora.base import Corpus, Download, SourceOptions
from omni_ray.corpora.evaluation import is_evaluation
from omni_ray.errors import OmniError, SourceError
from omni_ray.ours import put_aside
from omni_ray.records import Agree
from omni_ray.sources.download import fetch, is_begun, is_there, left, rate_of

MINI = "mini"
"""The split that every corpus has: enough of it for a first try."""
ASK_BYTES = 1_000_000_000
"""Anyone who fetches more is asked first."""
_TRIED_FROM = 100_000_000
"""From this many bytes on, it is worth a moment to find out how fast they will come."""


def published(
    corpus: Corpus,
    folder: Path,
    splits: Sequence[str],
    *,
    again: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> Sequence[Download]:
    """The files of a corpus that can be fetched. Its catalogue is fetched where it lists them, and kept:
    later runs take more of the same list.

    Args:
        again: fetch the catalogue though it is there.

    Raises:
        OmniError: the catalogue cannot be fetched.
    """
    known = corpus.downloads
    is_whole = any(is_begun(each, folder) for each in known if each.by_default)
    if corpus.catalogue is None or is_whole or any(each.split in splits for each in known if each.split):
        return known
    place = catalogue_folder(folder)
    before = corpus.listed((place / corpus.catalogue.path).read_bytes()) if is_there(corpus.catalogue, place) else ()
    [file] = fetch([corpus.catalogue], place, again=again, say=say)
    listed = corpus.listed(file.read_bytes())
    for path in {each.path for each in before} - {each.path for each in listed}:
        if (folder / path).exists():
            say(f"{path} is not listed any more: it is kept as {put_aside(folder / path).name}")
    return listed or known


def catalogue_folder(folder: Path) -> Path:
    """Where a corpus's catalogue is kept: not among the files that it reads."""
    return folder.with_name(f"{folder.name}-catalogue")


def is_begun_of(corpus: Corpus, folder: Path) -> bool:
    """Whether something of a corpus was fetched: then fetching goes on."""
    if corpus.catalogue is not None and is_there(corpus.catalogue, catalogue_folder(folder)):
        return True
    return any(is_begun(each, folder) for each in corpus.downloads)


def in_language(corpus: Corpus, options: SourceOptions, sources: Sequence[str]) -> Corpus:
    """The corpus that ``--language`` means, where it says what is fetched: in a folder of its own, apart from other languages.

    Raises:
        SourceError: several are asked for, or the source cannot be had in several languages.
    """
    if not options.languages or not corpus.language:
        return corpus
    if sources:
        raise SourceError(f"{corpus.name}: --language chooses what to fetch; a --source is read in any language")
    if len(options.languages) > 1:
        raise SourceError(
            f"{corpus.name}: one --language at a time is fetched; give each a --name of its own, such as "
            f"--name {corpus.name}_{options.languages[-1]}"
        )
    [language] = options.languages
    return corpus if language == corpus.language else corpus.in_language(language)


def as_mini(corpus: Corpus, options: SourceOptions, limit: int | None) -> tuple[SourceOptions, int | None]:
    """What ``--split mini`` stands for: the corpus's smallest splits, and no more samples of them than make a first try."""
    if MINI not in options.splits:
        return options, limit
    splits, most = corpus.mini
    limits = [each for each in (limit, most) if each is not None]
    return replace(options, splits=splits), min(limits, default=None)


def wanted(
    corpus: Corpus, splits: Sequence[str], limit: int | None, files: Sequence[Download] | None = None
) -> list[Download]:
    """The files to fetch, in order: of the splits asked for, or those to train on; no more parts than the limit needs.

    Args:
        splits: as the user named them; none for those to train on.
        limit: how many samples are wanted; None for all.
        files: what there is; None for what is known without a catalogue.

    Raises:
        SourceError: it can be fetched by splits, and has none of those.
    """
    files = corpus.downloads if files is None else files
    parts = {each.split for each in files if each.split}
    if splits and parts and not parts & set(splits):
        raise SourceError(
            f"{corpus.name}: no split {' or '.join(splits)} to fetch; choose from {', '.join(sorted(parts))}"
        )
    chosen = []
    left = limit
    for each in files:
        if each.split or each.samples is not None:
            is_meant = each.split in splits if splits and parts else not is_evaluation(each.split) and each.by_default
            if not is_meant or (left is not None and left < 0):
                continue
            # One sample more than is wanted: some of a part may be of no use.
            left = None if left is None or each.samples is None else left - each.samples
        chosen.append(each)
    return chosen


def cost(missing: Sequence[Download], folder: Path) -> tuple[int, str]:
    """What fetching takes: its bytes, about, and files and bytes in words; raises OmniError if the disk has no room."""
    need = sum(left(each, folder) for each in missing)
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    free = shutil.disk_usage(there).free
    files = f"{len(missing)} file{'s' if len(missing) > 1 else ''}"
    pause = sum(each.pause_s for each in missing)
    is_known = all(each.size is not None for each in missing)
    size = f"{'' if is_known else 'about '}{_size(need)}, " if need else ""
    sentence = f"{files} into {folder}: {size}{_size(free)} free on the disk"
    if pause > 60:
        sentence += f", at least {_time(pause)} at the pace that the server asks for"
    if need > free:
        raise OmniError(f"{sentence}, which is too little; --max-samples or --split fetches less")
    return need, sentence


def agreed(corpus: Corpus, missing: Sequence[Download], folder: Path, agree: Agree, say: Callable[[str], None]) -> None:
    """Say what fetching ``missing`` costs, and go on if the user agrees.

    Raises:
        OmniError: the user does not agree, or the disk has no room for it.
    """
    if not missing:
        return
    need, sentence = cost(missing, folder)
    sentence = f"{corpus.name}: to fetch: {sentence}"
    rate = rate_of(max(missing, key=lambda each: left(each, folder)).url) if need > _TRIED_FROM else 0.0
    if rate:
        sentence += f", {_time(need / rate)} at the {rate / 1e6:.1f} MB/s of a short trial"
    has_some = folder.is_dir() and any(folder.iterdir())
    asked = f"{sentence}; --skip-download takes what lies there already" if has_some else sentence
    if need > ASK_BYTES and not agree(asked, need):
        raise OmniError(f"{asked}; --yes fetches them, --max-samples or --split fewer")
    say(sentence)


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
