"""What a corpus is: a native layout, a licence, how to get it, how to index it and how to read a slice of it.

A corpus knows bytes and annotations only. It does not decode media, resize, resample or clean text (that is
the modality's work), and it knows nothing of Ray (that is the pipeline's).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from omni_ray.errors import SourceError
from omni_ray.records import CHATS, Download, Rejected, SourceOptions, UnitDraft

if TYPE_CHECKING:
    import pyarrow as pa

    from omni_ray.sources.tree import Tree


__all__ = ["CHATS", "Corpus", "Download", "Rejected", "SourceOptions", "UnitDraft", "Wrapped", "downloads_folder"]


class Corpus(ABC):
    """A named body of data. One subclass, one file, one instance: adding a corpus is adding a module.

    ``units`` and ``read`` must be deterministic and in canonical order: same bytes, same ids, same order, on any
    machine. A corpus object is pickled to workers, so it holds no open files. Units are cut by bytes of decoded media as
    well as by records: :func:`omni_ray.corpora.bounds.runs` does both.
    """

    name: ClassVar[str]
    modality: ClassVar[str]
    title: ClassVar[str]
    licence: ClassVar[str]
    homepage: ClassVar[str] = ""
    size: ClassVar[str] = "any"
    """For people: "6.3 GB, 28,539 clips, 100 h"."""
    layout: ClassVar[str]
    """One line that tells a user what the source must look like."""
    categories: ClassVar[tuple[str, ...]] = ("general",)
    downloads: ClassVar[tuple[Download, ...]] = ()
    catalogue: ClassVar[Download | None] = None
    """A published list of the files to fetch, for :meth:`listed`; ``downloads`` are then those that need no list."""
    mini: ClassVar[tuple[tuple[str, ...], int | None]] = ((), 500)
    """What ``--split mini`` means: the splits to fetch, none for the usual ones, and how many samples of them."""
    manual: ClassVar[str] = ""
    """How to get it by hand, where nothing can be downloaded: one sentence, without the folder to put it in."""
    hub_id: ClassVar[str] = ""
    """The Hugging Face dataset that holds the same corpus, where there is one."""
    columns: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """For table sources (Parquet, JSONL, CSV, Hugging Face): role -> column names to look for, best first."""
    version: ClassVar[int] = 1
    """Increased when the same source gives different units or records; this makes every shard stale."""
    code: ClassVar[str] = ""
    """SHA-256 of the file of the user's own that defines it, whose change makes every shard stale; "" elsewhere."""
    has_languages: ClassVar[bool] = False
    """Whether it has a folder for each language, from which ``--language`` chooses."""
    language: ClassVar[str] = ""
    """The language that it is fetched in, where it can be had in several; "" for a corpus that is what it is."""
    keeps_columns: ClassVar[bool] = False
    """Whether its records have ``extra`` for ``SourceOptions.keep_columns``; read as tables, those of all corpora do."""
    in_all: ClassVar[bool] = True
    """Whether ``--dataset all`` and the corpus's categories take it; generic corpora are named explicitly."""

    @abstractmethod
    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        """Slices of the corpus in canonical order, from cheap metadata only.

        Yields nothing where the tree does not hold the native layout (the caller then looks for tables, and finally
        says what ``layout`` was looked for). Raises SourceError where the layout is there but broken.
        """

    @abstractmethod
    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected | pa.Table]:
        """The records of one unit, in canonical order.

        Yields dicts (or tables, for speed) with the columns of the modality's ``raw_schema``, and
        :class:`Rejected` for records that are broken. One bad record costs one record: never raises for data.
        """

    def table_options(self, tables: list[str], options: SourceOptions) -> SourceOptions:
        """The options for reading the corpus from tables, given their names: which of its splits are meant.

        Raises:
            SourceError: none of the splits that are there.
        """
        return options

    def listed(self, catalogue: bytes) -> Sequence[Download]:
        """The files that the catalogue lists, in the order in which the corpus is read; none where it is of no use."""
        return ()

    def in_language(self, language: str) -> Corpus:
        """The corpus as it is fetched in a language that is not the usual one: with downloads, and a catalogue, of its own.

        Called only for corpora with a ``language``. Raises SourceError where there is no such language.
        """
        raise SourceError(f"{self.name}: can be had in {self.language} alone")

    def why_unread(self, name: str) -> str:
        """Why a file of the source is not read, as a code of :data:`omni_ray.unread.REASONS`.

        Called for files that no draft names. "" where the layout has nothing to say: the file's ending then decides.
        """
        return ""


def downloads_folder(root: Path, corpus: Corpus) -> Path:
    """Where downloads of ``corpus`` go, and where a user puts files fetched by hand: printed, written and read."""
    usual = type(corpus).language
    name = corpus.name if corpus.language == usual else f"{corpus.name}-{corpus.language}"
    return root / "data" / "downloads" / name


class Wrapped(Corpus):
    """A corpus that is read in another way, with the name and version of the one within."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self.__dict__.update({k: getattr(corpus, k) for k in ("name", "modality", "title", "licence", "homepage")})
        self.version = corpus.version  # type: ignore[misc]
        self.code = corpus.code  # type: ignore[misc]
