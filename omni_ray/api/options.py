"""What each function of :mod:`omni_ray.api` takes beyond the project, and each command of the command line with it.

Light, because help is made from it: nothing here imports what does the work.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field, fields
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate, Literal, ParamSpec, TypeVar

from omni_ray.api.cluster import Cluster
from omni_ray.errors import OmniError
from omni_ray.media_names import flat_name
from omni_ray.option import MAKE, SOURCE, WHERE, Option, Without, what_is_wrong
from omni_ray.progress.reporter import Reporter, usual
from omni_ray.records import SourceOptions
from omni_ray.sources.encoding import named
from omni_ray.trainers.files import SHARED, ModalityName

Result = TypeVar("Result")
Taken = TypeVar("Taken")
Fields = ParamSpec("Fields")
Agree = Callable[[str, int], bool]
"""Told what fetching costs, in a sentence and in bytes: whether to go on."""


def verb(
    kind: Callable[Fields, Taken],
) -> Callable[[Callable[[Path, Taken], Result]], Callable[Concatenate[str | Path, Fields], Result]]:
    """A function of a project and of ``kind``, as one that takes the fields of ``kind`` by their names."""

    def taking_fields(
        function: Callable[[Path, Taken], Result],
    ) -> Callable[Concatenate[str | Path, Fields], Result]:
        @wraps(function)
        def call(root: str | Path, *values: Fields.args, **fields: Fields.kwargs) -> Result:
            return function(Path(root), kind(*values, **fields))

        first = inspect.Parameter("root", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="str | Path")
        signature = inspect.signature(function)
        call.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[first, *inspect.signature(kind).parameters.values()]
        )
        return call  # type: ignore[return-value]

    return taking_fields


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where a function runs, and who is told.

    Attributes:
        shards: the place of shards and manifests, where that is not the project's folder.
        cluster: where, and with what; a private local Ray by default.
        reporter: shows progress; by default on standard error.
    """

    shards: Annotated[
        str | None,
        Option("Another place for shards and manifests, e.g. s3://bucket/prefix; said once.", WHERE, "--store"),
    ] = None
    cluster: Annotated[Cluster, Without("gpus")] = field(default_factory=Cluster)
    reporter: Reporter | None = None

    def __post_init__(self) -> None:
        if sentence := what_is_wrong(self):
            raise OmniError(sentence)

    @property
    def told(self) -> Reporter:
        """Who is told."""
        return self.reporter or usual()


@dataclass(frozen=True)
class _What:
    """Which corpora to prepare, and of what."""

    modality: Annotated[
        ModalityName | Sequence[ModalityName], Option("One or more.", metavar="MODALITY", is_argument=True)
    ]
    _: KW_ONLY
    dataset: Annotated[
        str | Sequence[str],
        Option("A corpus, a category, or all (default); may be repeated. See `omni-ray list`.", SOURCE),
    ] = "all"
    source: Annotated[
        str | Sequence[str] | None,
        Option(
            "A folder, archive, file, s3://bucket/folder, or Hugging Face dataset; several are one corpus. Default: "
            "data/downloads/CORPUS.",
            SOURCE,
        ),
    ] = None
    corpus_file: Annotated[
        str | Path | None, Option("A Python file that defines a corpus of your own.", SOURCE, metavar="FILE")
    ] = None


@dataclass(frozen=True, kw_only=True)
class Making:
    """What becomes of the corpora."""

    download: Annotated[bool, Option("Never fetch anything.", SOURCE, "--skip-download")] = True
    redownload: Annotated[bool, Option("Fetch downloads again.", SOURCE)] = False
    name: Annotated[str | None, Option("Name of the shards and files. Default: the corpus's own.", MAKE)] = None
    combine: Annotated[bool, Option("Write the training files too.", MAKE)] = False
    clean: Annotated[
        Literal["off", "default", "strict"] | None,
        Option("Remove poor samples and duplicates. Default: as chosen before, else off.", MAKE),
    ] = None
    max_samples: Annotated[
        int | None, Option("Samples to keep per corpus, the first in corpus order; 0 for all.", MAKE, low=0)
    ] = 1_000_000
    reset: Annotated[bool, Option("Remove what is committed of these corpora first; downloads stay.", MAKE)] = False
    max_quarantine: Annotated[
        float, Option("Share of faulty records above which the exit code is 1.", MAKE, low=0, high=1)
    ] = 0.05


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How the training files are written."""

    seed: Annotated[
        int | None,
        Option(
            "Seed of the shuffle across corpora.",
            MAKE,
            off=("--no-shuffle", "Keep corpus order in the training files."),
        ),
    ] = 42
    pack: Annotated[
        bool, Option("text: join lines of a document up to what the trainer sees at once (ctx_len).", MAKE)
    ] = False
    holdout: Annotated[
        float | None,
        Option("Share of documents, speakers, pictures for heldout_* files, e.g. 0.01. Default: none.", MAKE),
    ] = None


@dataclass(frozen=True)
class PrepareOptions(Run, Writing, SourceOptions, Making, _What):
    """Options of :func:`omni_ray.api.prepare`.

    Attributes:
        params: parameters by modality and name, such as ``{"images": {"size": 224}}``.
        corpus_files: write each corpus's own flat file, such as ``wikipedia.txt``, which ``combine`` does too.
        agree: asked, with a sentence and bytes, before a gigabyte or more is fetched; it is, unless that says no.
        options: the fields that say how to read a source, as one value instead of by themselves.
    """

    _: KW_ONLY
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    corpus_files: bool = False
    agree: Agree = lambda sentence, size: True
    options: InitVar[SourceOptions | None] = None
    cluster: Cluster = field(default_factory=Cluster)

    def __post_init__(self, options: SourceOptions | None) -> None:
        for each in fields(SourceOptions) if options else ():
            object.__setattr__(self, each.name, getattr(options, each.name))
        super().__post_init__()
        if self.encoding:
            object.__setattr__(self, "encoding", named(self.encoding))
        if self.name is not None:
            _check_name(self.name)
        if not self.combine and (self.pack or self.holdout is not None):
            raise OmniError("--pack and --holdout are about the training files; give --combine too")
        if self.corpus_files and not self.combine and self.evaluation == "heldout":
            raise OmniError("--evaluation heldout is about the training files; give --combine too")

    @property
    def modalities(self) -> list[ModalityName]:
        """Which modalities are prepared."""
        return [self.modality] if isinstance(self.modality, str) else list(self.modality)

    @property
    def sources(self) -> tuple[str, ...]:
        """Where to read; empty for what is in ``data/downloads``."""
        return (self.source,) if isinstance(self.source, str) else tuple(self.source or ())

    @property
    def limit(self) -> int | None:
        """How many samples to keep of each corpus; None for all."""
        return self.max_samples or None

    @property
    def reading(self) -> SourceOptions:
        """How to read a source: what a corpus is told."""
        media_root = None if self.media_root is None else str(Path(self.media_root).absolute())
        return SourceOptions(
            **{each.name: getattr(self, each.name) for each in fields(SourceOptions)} | {"media_root": media_root}
        )


def _check_name(name: str) -> None:
    """A name is part of the names of shards and files, beside those of the files of all corpora. Raises OmniError."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}", name):
        raise OmniError(f"--name {name}: use letters, digits, '_', '-' and '.', starting with a letter or a digit")
    if f"{name}_".startswith(SHARED):
        raise OmniError(f"--name {name}: files of all corpora begin with that; choose another name")
    if flat_name("common_voice") == name.lower():
        raise OmniError(f"--name {name}: the files of common_voice are called so; choose another name")
