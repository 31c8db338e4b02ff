"""What travels between the parts: drafts of units, options of a source, records that could not be used.

Below everything that reads or makes samples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from omni_ray.option import MAKE, SOURCE, Option

Agree = Callable[[str, int], bool]
"""Given what fetching costs, in a sentence and in bytes, returns whether to go on."""


@dataclass(frozen=True)
class Download:
    """One file to fetch.

    Attributes:
        url: where it is published.
        path: where it goes, relative to the corpus's download folder (``data/downloads/<corpus>/``).
        size: bytes, where published.
        checksum: "md5:..." or "sha256:...", where published.
        checksums: URL of a list of checksums and names, for a file that is republished from time to time.
        split: the split it holds, where it is not fetched whatever is wanted. One to measure on is fetched on demand.
        samples: in it, where a limit may make it unnecessary.
        about: bytes, roughly, where no exact size is published: to say what fetching it takes.
        by_default: whether it is fetched where nobody asks for its split.
        pause_s: seconds to wait before the next file of its server, one at a time, where the server asks for that.
        may_lack: whether its list may name it although it is not there: it is then noted and left out.
    """

    url: str
    path: str
    size: int | None = None
    checksum: str | None = None
    checksums: str | None = None
    split: str = ""
    samples: int | None = None
    about: int = 0
    by_default: bool = True
    pause_s: float = 0.0
    may_lack: bool = False


CHATS = "a conversation"
"""Among the names to look for: a corpus whose texts may be conversations, or questions with their answers."""


EXTRA = "extra"
"""The role, and the column of raw rows and of shards, for what a record has beyond those that are read, as JSON: where the user
asks to keep it."""


@dataclass(frozen=True)
class UnitDraft:
    """A slice of a corpus that becomes exactly one shard, as the index describes it.

    Attributes:
        payload: JSON value with all that ``Corpus.read`` needs to find the slice in the tree.
        inputs: names of the files whose change makes the shard stale; the pipeline stamps them.
        records: the number of input records in the slice, or the least it can be, where the index knows it, else None.
        samples: the number of samples expected of it, for deciding how many units ``--max-samples`` needs.
        reads: names of further files that it is made of, and that are not stamped: lists whose content is in the payload,
            or media too many to look at. What no draft names is reported as not read.
        evaluation: the splits to measure on (``dev-clean``, ``val2017``) that some of it belongs to.
    """

    payload: Mapping[str, Any]
    inputs: tuple[str, ...] = ()
    records: int | None = None
    samples: int | None = None
    reads: tuple[str, ...] = ()
    evaluation: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rejected:
    """Input records that could not be used.

    Attributes:
        id: the record's id, or the best name for it there is.
        where: the file, and line or row, it came from.
        reason: a code of :data:`omni_ray.reasons.REASONS`.
        detail: what was seen, for a person; one line.
        records: how many input records this stands for.
    """

    id: str
    where: str
    reason: str
    detail: str = ""
    records: int = 1


class Unusable(Exception):
    """A picture or recording that cannot be used: ``reason`` is a code of :data:`omni_ray.reasons.REASONS`, the text says what
    was seen."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


Evaluation = Literal["train", "heldout", "drop"]


def columns_in(text: str) -> dict[str, str]:
    """``role=column`` pairs as users write them. Raises ValueError for anything else."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not (role.strip() and column.strip()) for role, _, column in pairs):
        raise ValueError("write role=column pairs, e.g. text=sentence,audio=clip")
    return {role.strip(): column.strip() for role, _, column in pairs}


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """What the user may say about a source, for any corpus.

    Attributes:
        columns: column names of a table source, by role: ``{"text": "sentence", "audio": "clip"}``.
        splits: empty for the default; ``train-clean-100``, ``train2017``, ``validated``.
        languages: of corpora that have a folder for each (``de``, ``pt_br``); empty for all. Of one that is fetched in
            one language, which; empty for its usual one.
        encoding: the codec; "" finds out file by file.
        header: where False, columns are called by number.
        fetched: the folder for what a corpus fetches record by record; "" where nothing may be fetched.
        evaluation: what becomes of splits to measure on; where they are not trained on, no unit has samples of both sides.
        unit_scale: multiplies how much a unit holds; 1.0 outside tests.
    """

    configuration: Annotated[
        str,
        Option(
            "Configuration of a Hugging Face dataset. Default: the one named by its card, else all.",
            SOURCE,
            "--config",
        ),
    ] = ""
    splits: Annotated[
        tuple[str, ...],
        Option("Only this split; may be repeated. For downloads, mini is enough for a first try.", SOURCE, "--split"),
    ] = ()
    languages: Annotated[
        tuple[str, ...],
        Option(
            "Only this language of common_voice, mls or fleurs (de); may be repeated. wikipedia, books: the language to fetch.",
            SOURCE,
            "--language",
        ),
    ] = ()
    columns: Annotated[
        Mapping[str, str],
        Option(
            "Columns of a table source by role, e.g. text=sentence,audio=clip.",
            SOURCE,
            metavar="ROLE=COLUMN,...",
            read=columns_in,
        ),
    ] = field(default_factory=dict)
    keep_columns: Annotated[
        bool,
        Option(
            "Keep the other columns of tables and lists, as JSON in a column `extra` of shards and exports.",
            SOURCE,
        ),
    ] = False
    media_root: Annotated[
        str | None, Option("The folder with the media that lists and tables name.", SOURCE, metavar="FOLDER")
    ] = None
    header: Annotated[
        bool, Option("CSV and TSV without a header: --columns takes numbers, e.g. text=2.", SOURCE, "--no-header")
    ] = True
    encoding: Annotated[
        str, Option("Encoding of text files, such as cp1252. Default: what each file says or shows.", SOURCE)
    ] = ""
    chat_template: Annotated[
        Literal["plain", "roles", "chatml"],
        Option("text: write turns of conversations as words only, with the speaker, or as ChatML.", SOURCE),
    ] = "plain"
    follow_links: Annotated[
        bool, Option("Follow links that lead out of the source: for sources you trust.", SOURCE)
    ] = False
    retry_failed: Annotated[bool, Option("image_urls: retry URLs that failed for a temporary reason.", SOURCE)] = False
    allow_private: Annotated[bool, Option("image_urls: fetch from private networks and this machine, too.", SOURCE)] = (
        False
    )
    evaluation: Annotated[
        Evaluation,
        Option(
            "Evaluation splits in a source (dev, test, val2017): train on them (default), write heldout_* files, or drop.",
            MAKE,
        ),
    ] = "train"
    fetched: str = ""
    unit_scale: float = 1.0

    def is_wanted_folder(self, folder: str) -> bool:
        """Whether a folder is that of a wanted split, or inside one."""
        return not self.splits or not set(self.splits).isdisjoint(folder.split("/"))

    def is_wanted_language(self, folder: str) -> bool:
        """Whether a folder is inside one of a wanted language; ``mls_german`` is one of ``german``."""
        if not self.languages:
            return True
        names = {name.lower() for part in folder.split("/") for name in (part, part.rpartition("_")[2])}
        return any(language.lower() in names for language in self.languages)

    def scaled(self, size: int) -> int:
        """How much a unit should hold, ``size`` being right for real corpora. Records are cut by :mod:`omni_ray.corpora.bounds`."""
        return max(1, int(size * self.unit_scale))
