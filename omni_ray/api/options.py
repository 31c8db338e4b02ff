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
from omni_ray.quality.preset import kinds_in, rules_in
from omni_ray.records import Agree, SourceOptions
from omni_ray.sources.encoding import named
from omni_ray.storage import is_uri, shown
from omni_ray.trainers.files import SHARED, ModalityName

Result = TypeVar("Result")
Taken = TypeVar("Taken")
Fields = ParamSpec("Fields")


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

        vars(call)["takes"] = kind
        first = inspect.Parameter("root", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="str | Path")
        signature = inspect.signature(function)
        call.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[first, *inspect.signature(kind).parameters.values()]
        )
        return call  # type: ignore[return-value]

    return taking_fields


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the shards are."""

    shards: Annotated[
        str | None,
        Option("Another place for shards and manifests, e.g. s3://bucket/prefix; remembered.", WHERE, "--store"),
    ] = None


@dataclass(frozen=True, kw_only=True)
class Run(Place):
    """Where a function runs, and what shows its progress.

    Attributes:
        cluster: where, and with what; a private local Ray by default.
        reporter: shows progress; by default on standard error.
    """

    cluster: Annotated[Cluster, Without("gpus")] = field(default_factory=Cluster)
    reporter: Reporter | None = None

    def __post_init__(self) -> None:
        if sentence := what_is_wrong(self):
            raise OmniError(sentence)
        if self.reporter is None:
            object.__setattr__(self, "reporter", usual())  # one, so that all of a call is shown together

    @property
    def told(self) -> Reporter:
        """What shows the progress."""
        assert self.reporter is not None  # see __post_init__
        return self.reporter


@dataclass(frozen=True)
class _Some:
    """Which modalities."""

    modalities: Annotated[
        Sequence[ModalityName], Option("Default: all there are.", metavar="MODALITY", is_argument=True)
    ] = ()


@dataclass(frozen=True)
class _What:
    """Which corpora to prepare, and from what."""

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
        str | Path | None, Option("A Python file that defines your own corpus.", SOURCE, metavar="FILE")
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
    reset: Annotated[bool, Option("First remove what is committed for these corpora; downloads stay.", MAKE)] = False
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
        agree: called with a sentence and the bytes before a gigabyte or more is fetched, which it may refuse.
        options: the fields that say how to read a source, as one value instead of one by one.
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


@dataclass(frozen=True)
class CleanOptions(Run, _Some):
    """Options of :func:`omni_ray.api.clean`.

    Attributes:
        preset: "off" takes cleaning back unless rules or duplicates are given.
        rules: rule name -> False, True, a limit or [low, high]; a rule goes to the modalities that have it. Without a preset,
            rules and kinds are added to what was chosen before, and modalities that none of them concerns stay as they were.
        duplicates: empty for none; None for those chosen before, or the usual ones.
        files: files, or names of installed ones; see docs/quality.md.
    """

    _: KW_ONLY
    preset: Annotated[
        Literal["off", "default", "strict"] | None,
        Option("off undoes cleaning. Default: what was chosen before."),
    ] = None
    rules: Annotated[
        Mapping[str, Any] | Sequence[str] | None,
        Option(
            "NAME=on, NAME=off, NAME=5 or NAME=0.5..30; may be repeated.", "", "--rule", "NAME=VALUE", read=rules_in
        ),
    ] = None
    duplicates: Annotated[
        Sequence[str] | None,
        Option(
            "Kinds to look for, separated by commas, or none. Default: as before, or the usual ones.", read=kinds_in
        ),
    ] = None
    files: Annotated[
        Sequence[str | Path],
        Option("A Python file with rules of your own; may be repeated.", "", "--rule-file", "FILE"),
    ] = ()
    decontaminate: Annotated[
        Sequence[str],
        Option(
            "A benchmark (file, folder, hf://...): remove what shares 13 words in a row with it; may be repeated.",
            metavar="SOURCE",
        ),
    ] = ()

    @property
    def chosen(self) -> dict[str, Any] | None:
        """The rules by name."""
        return (
            None
            if self.rules is None
            else dict(self.rules)
            if isinstance(self.rules, Mapping)
            else rules_in(self.rules)
        )


@dataclass(frozen=True)
class CombineOptions(Run, Writing, _Some):
    """Options of :func:`omni_ray.api.combine`.

    Attributes:
        pack: up to the ``ctx_len`` of configs/thinker_tiny.json, with the tokenizer that is there, or one that is trained first.
        holdout: None for nothing, which removes what an earlier run held out.
        weights: in tokens for text, in samples for everything else. Corpora that are not named share what is left to 1.
    """

    _: KW_ONLY
    weights: Annotated[
        Sequence[str],
        Option(
            "A corpus's share of the mixture, such as wikipedia=0.3; may be repeated. Default: all of every corpus.",
            MAKE,
            "--weight",
            "NAME=SHARE",
        ),
    ] = ()
    target_tokens: Annotated[
        Sequence[str],
        Option(
            "text: take at most this many tokens of a corpus, such as books=2B, or of all (2B); may be repeated.",
            MAKE,
            metavar="[NAME=]TOKENS",
        ),
    ] = ()
    replace: Annotated[
        bool,
        Option("Read every existing file and rewrite those that were changed; the old ones are kept as .bak."),
    ] = False


@dataclass(frozen=True)
class ExportOptions(Run):
    """Options of :func:`omni_ray.api.export`.

    Attributes:
        form: Parquet files and a dataset card, tar files, or MosaicML streaming.
        samples_per_shard, shard_bytes: not both.
    """

    form: Literal["hf", "webdataset", "mds"]
    folder: Annotated[
        str | Path, Option("A new folder, or one with an earlier export.", metavar="DIR", is_argument=True)
    ]
    _: KW_ONLY
    samples_per_shard: Annotated[int | None, Option("Samples of each file.", low=1)] = None
    shard_bytes: Annotated[int | None, Option("About so many bytes a file.", low=1)] = None
    modalities: Annotated[Sequence[ModalityName], Option("Only this; may be repeated.", "", "--modality")] = ()
    names: Annotated[Sequence[str], Option("Only this corpus; may be repeated.", "", "--dataset")] = ()


@dataclass(frozen=True)
class PublishOptions(Run):
    """Options of :func:`omni_ray.api.publish`. What an earlier call sent to the place is replaced where it changed."""

    place: Annotated[str, Option("A folder, or s3://bucket/prefix.", metavar="PLACE", is_argument=True)]
    _: KW_ONLY
    modalities: Annotated[Sequence[ModalityName], Option("Only this; may be repeated.", "", "--modality")] = ()


def _share(text: str) -> int | float:
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        raise ValueError("give a number of at least 1, or a share between 0 and 1") from None


@dataclass(frozen=True)
class VerifyOptions(Run, _Some):
    """Options of :func:`omni_ray.api.verify`.

    Attributes:
        sample: checksums are then left out; records are judged all the same.
    """

    _: KW_ONLY
    sample: Annotated[
        int | float | None,
        Option("A quick look: decode only this number (200) or share (0.05) of each file's media.", read=_share),
    ] = None
    data: Annotated[Literal["production", "synthetic"], Option("synthetic: the tiny files.")] = "production"


@dataclass(frozen=True, kw_only=True)
class PlanOptions(Run):
    """Options of :func:`omni_ray.api.plan`."""

    configs: Annotated[
        Sequence[str],
        Option("Only these: thinker, audio_enc, vision, talker, omni_sft, ocr, vocoder.", "", "--config"),
    ] = ()
    dry_run: Annotated[bool, Option("Show everything, write nothing.")] = False
    data: Annotated[Literal["auto", "production", "synthetic"], Option("Which files to train on.")] = "auto"
    vram_gib: Annotated[float, Option("Memory of the card, in GiB.", "", "--vram")] = 12.0
    steps_rule: Annotated[
        Literal["tokens", "lines"] | None,
        Option("Count text steps in this. Default: whichever fits the data."),
    ] = None
    allow_accumulation: Annotated[bool, Option("For trainers that support gradient accumulation.")] = False
    skip_text_tokens: Annotated[
        bool, Option("Do not count the tokens of the text.", "", "--skip-text-tokenization")
    ] = False
    assume_text_tokens: Annotated[int | None, Option("Tokens of the text, with --skip-text-tokenization.")] = None


@dataclass(frozen=True, kw_only=True)
class TokenizerOptions(Run):
    """Options of :func:`omni_ray.api.train_tokenizer`."""

    vocab_size: Annotated[
        int | None, Option("Pieces wanted. Default: vocab_size of configs/thinker_tiny.json.", low=4)
    ] = None
    sample_mb: Annotated[int, Option("MiB of text to train on, at most, evenly sampled.", low=1)] = 128
    data: Annotated[Literal["auto", "production", "synthetic"], Option("Which corpus to train on.")] = "auto"
    force: Annotated[bool, Option("Even if weights were trained with the present one, or it is your own.")] = False


@dataclass(frozen=True)
class ReportOptions(Run):
    """Options of :func:`omni_ray.api.write_report`.

    Attributes:
        out: a page of ours already there is replaced.
        plan: the training plan; None for a dry run of it, where that takes no more than seconds.
    """

    out: Annotated[str | Path | None, Option("Default: data/report.html.", metavar="FILE")] = None
    _: KW_ONLY
    plan: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.out is not None and is_uri(self.out):
            raise OmniError(
                f"--out {shown(str(self.out))}: the page is a file of this machine; write it here, and copy it there"
            )


@dataclass(frozen=True, kw_only=True)
class SynthesisOptions(Run):
    """Options of :func:`omni_ray.api.synthesize`."""

    samples: Annotated[
        int | None,
        Option(
            "Of each kind: lines, clips, pictures, words. Default: 2 MB of lines, 15 of clips, 20 of pictures, 10 of words.",
            low=1,
        ),
    ] = None
    seed: Annotated[int, Option("The same seed gives the same bytes.")] = 42


def _check_name(name: str) -> None:
    """A name becomes part of the names of shards and files, beside those of all corpora together. Raises OmniError."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,99}", name):
        raise OmniError(f"--name {name}: use letters, digits, '_', '-' and '.', starting with a letter or a digit")
    if f"{name}_".startswith(SHARED):
        raise OmniError(f"--name {name}: files of all corpora begin with that; choose another name")
    if flat_name("common_voice") == name.lower():
        raise OmniError(f"--name {name}: the files of common_voice have that name; choose another")
