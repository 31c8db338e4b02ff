"""What ``prepare`` would do: sources are found and indexed, and nothing is fetched, made or written."""

from __future__ import annotations

import tempfile
from pathlib import Path

from omni_ray.api.options import PrepareOptions, verb
from omni_ray.corpora.base import Corpus, downloads_folder
from omni_ray.corpora.evaluation import TrainingFirst
from omni_ray.corpora.many import locate_all
from omni_ray.corpora.registry import add_file, select
from omni_ray.corpora.together import together
from omni_ray.corpora.wanted import as_mini, catalogue_folder, cost, in_language, is_begun_of, published, wanted
from omni_ray.errors import SourceError
from omni_ray.pipeline.units import number_units, prefixes
from omni_ray.results import Sentences
from omni_ray.sources.download import is_begun, is_there
from omni_ray.sources.huggingface import looks_like_hub_id


@verb(PrepareOptions)
def rehearse(root: Path, asked: PrepareOptions) -> Sentences:
    """Sentences about each corpus: what would be read of it and in how many units, or fetched, or why neither.

    Raises:
        OmniError: wrong input.
        SourceError: a hub dataset given by its plain name, whose files an index needs.

    Example:
        >>> api.rehearse("project", "text", dataset="text_files", source="notes")
        ['text/text_files: would read 3 of 3 files of notes: 1 of 1 units, ...']
    """
    if asked.corpus_file is not None:
        add_file(Path(asked.corpus_file))
    for each in asked.sources:
        if looks_like_hub_id(each) and not each.startswith("hf://"):
            raise SourceError(f"{each}: to look into it without fetching it, write hf://datasets/{each}")
    lines = Sentences()
    with tempfile.TemporaryDirectory() as cache:
        for modality in asked.modalities:
            corpora = select(modality, asked.dataset)
            for usual in corpora:
                corpus = usual
                try:
                    corpus = in_language(usual, asked.reading, asked.sources)
                    said = _of_corpus(corpus, root, asked, Path(cache), len(corpora) == 1)
                    if is_begun_of(corpus, downloads_folder(root, corpus)):  # what is missing would be fetched, too
                        said += _of_download(corpus, root, asked)
                except SourceError as error:
                    said = _of_download(corpus, root, asked) or [f"would be skipped: {error}"]
                lines += [f"{modality}/{corpus.name}: {sentence}" for sentence in said]
    return lines


def _of_corpus(corpus: Corpus, root: Path, asked: PrepareOptions, cache: Path, is_alone: bool) -> list[str]:
    """What is there. Raises SourceError where nothing is."""
    options = asked.reading
    found, _ = locate_all(corpus, root, asked.sources, options, all_of_them=is_alone, cache=cache, download=False)
    drafts = TrainingFirst(found.drafts, options.evaluation, lambda some: together(some, found.tree, options))
    units = number_units(iter(drafts), found.tree, {})
    files = found.files()
    needed = units[: next(prefixes(units, asked.limit))]
    known = [unit.records for unit in needed if unit.records is not None]
    records = f"{sum(known):,} records" if len(known) == len(needed) else "records that only reading counts"
    first = f"would read {files.read:,} of {files.read + files.unread_count:,} files of {found.tree.location}: "
    said = [f"{first}{len(needed):,} of {len(units):,} units, {records}"]
    said += [f"not read: {group.sentence}" for group in files.unread]
    if found.measured():
        said.append(f"evaluation splits: {', '.join(found.measured())} (--evaluation {options.evaluation})")
    return said


def _of_download(corpus: Corpus, root: Path, asked: PrepareOptions) -> list[str]:
    """What would be fetched; nothing where that is not possible, or not meant."""
    folder = downloads_folder(root, corpus)
    if asked.sources or not asked.download or not (corpus.downloads or corpus.catalogue):
        return []
    options, limit = as_mini(corpus, asked.reading, asked.limit)
    if corpus.catalogue is not None and not is_there(corpus.catalogue, catalogue_folder(folder)):
        known = [each for each in corpus.downloads if each.split in options.splits or is_begun(each, folder)]
        if not known:
            return [f"would fetch its list, {corpus.catalogue.url}, and as many of the files in it as the samples need"]
    files = published(corpus, folder, options.splits)
    missing = [each for each in wanted(corpus, options.splits, limit, files) if not is_there(each, folder)]
    return [f"would fetch {cost(missing, folder)[1]}"] if missing else []
