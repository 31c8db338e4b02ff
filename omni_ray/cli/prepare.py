"""``omni-ray prepare``: corpora to committed shards, and on to training files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from omni_ray import api
from omni_ray.cli import options as opt
from omni_ray.cli.consent import consent
from omni_ray.cli.printing import echo, echo_lines
from omni_ray.cli.tables import (
    SUMMARY_HEADER,
    cleaned_line,
    file_lines,
    render,
    repeat_lines,
    summary_row,
    unread_lines,
)
from omni_ray.corpora.base import SourceOptions
from omni_ray.corpora.registry import add_file, select
from omni_ray.errors import OmniError, SourceError
from omni_ray.progress.reporter import Reporter
from omni_ray.sources import is_missing
from omni_ray.sources.encoding import named

_UNREAD_SHOWN = 8
_PICTURES = ("size", "fit", "image_format", "quality")
_PARAMS = {
    "text": ("max_line_chars",),
    "audio": ("audio_format", "min_seconds", "max_seconds", "resampler", "channel"),
    "images": _PICTURES,
    "ocr": _PICTURES,
}
"""The parameters of each modality's shards."""


def check(
    modalities: Sequence[str],
    dataset: Sequence[str] | None,
    source: Sequence[str] | None,
    columns: str,
    encoding: str,
    corpus_file: Path | None,
    **options: Any,
) -> dict[str, dict[str, Any]]:
    """The parameters by modality; and what can be refused before a source is looked at, is.

    Raises:
        OmniError: no such dataset or encoding, wrong columns, or a parameter that none of the modalities has: that is a
            mistake, not something to ignore.
        SourceError: none of the sources is there.
    """
    if corpus_file is not None:
        add_file(corpus_file)
    for each in modalities:
        select(each, dataset or "all")
    _columns(columns)
    if encoding:
        named(encoding)
    known = {name for each in modalities for name in _PARAMS[each]}
    for modality, names in _PARAMS.items():
        if stranger := next((name for name in names if options[name] is not None and name not in known), None):
            raise OmniError(f"--{stranger.replace('_', '-')} is for {modality}, which is not prepared here")
    if source and all(map(is_missing, source)):
        raise SourceError(f"{source[0]}: no such file or folder; give --source an existing one")
    return {each: {n: options[n] for n in _PARAMS[each] if options[n] is not None} for each in map(str, modalities)}


@opt.checked_by(check)
def prepare(
    modalities: opt.Modalities,
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            help="A corpus, a category, or all (default); may be repeated. See `omni-ray list`.",
            rich_help_panel=opt.SOURCE,
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="A folder, archive, file, s3://bucket/folder, or Hugging Face dataset; several are one corpus. Default: "
            "data/downloads/CORPUS.",
            rich_help_panel=opt.SOURCE,
        ),
    ] = None,
    configuration: Annotated[
        str,
        typer.Option(
            "--config",
            help="Configuration of a Hugging Face dataset. Default: the one that its card names, else all.",
            rich_help_panel=opt.SOURCE,
        ),
    ] = "",
    splits: Annotated[
        list[str] | None,
        typer.Option(
            "--split",
            help="Only this split; may be repeated. Of what is fetched, mini is enough for a first try.",
            rich_help_panel=opt.SOURCE,
        ),
    ] = None,
    languages: Annotated[
        list[str] | None,
        typer.Option(
            "--language",
            help="Only this language of common_voice, mls or fleurs (de); may be repeated. wikipedia, books: what is fetched.",
            rich_help_panel=opt.SOURCE,
        ),
    ] = None,
    columns: Annotated[
        str,
        typer.Option(
            metavar="ROLE=COLUMN,...",
            help="Columns of a table source by role, e.g. text=sentence,audio=clip.",
            rich_help_panel=opt.SOURCE,
        ),
    ] = "",
    keep_columns: Annotated[
        bool,
        typer.Option(
            "--keep-columns",
            help="Keep what else a table or list says of each record, as JSON in a column `extra` of shards and exports.",
            rich_help_panel=opt.SOURCE,
        ),
    ] = False,
    media_root: Annotated[
        Path | None,
        typer.Option(help="The folder in which the media are that lists and tables name.", rich_help_panel=opt.SOURCE),
    ] = None,
    no_header: Annotated[
        bool,
        typer.Option(
            "--no-header",
            help="CSV and TSV without a header: --columns takes numbers, e.g. text=2.",
            rich_help_panel=opt.SOURCE,
        ),
    ] = False,
    encoding: Annotated[
        str,
        typer.Option(
            help="Encoding of text files, such as cp1252. Default: what each file says or shows.",
            rich_help_panel=opt.SOURCE,
        ),
    ] = "",
    chat_template: Annotated[
        Literal["plain", "roles", "chatml"],
        typer.Option(
            help="text: turns of conversations as their words alone, with who speaks, or as ChatML.",
            rich_help_panel=opt.SOURCE,
        ),
    ] = "plain",
    corpus_file: Annotated[
        Path | None, typer.Option(help="A Python file that defines a corpus of your own.", rich_help_panel=opt.SOURCE)
    ] = None,
    follow_links: Annotated[
        bool,
        typer.Option(
            "--follow-links",
            help="Follow links that lead out of the source: for sources you trust.",
            rich_help_panel=opt.SOURCE,
        ),
    ] = False,
    retry_failed: Annotated[
        bool,
        typer.Option(
            "--retry-failed",
            help="image_urls: ask again where an address failed for a passing reason.",
            rich_help_panel=opt.SOURCE,
        ),
    ] = False,
    allow_private: Annotated[
        bool,
        typer.Option(
            "--allow-private",
            help="image_urls: fetch from private networks and this machine, too.",
            rich_help_panel=opt.SOURCE,
        ),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Fetch whatever it takes, beyond 1 GB, too.", rich_help_panel=opt.SOURCE),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say what would be read and fetched; write nothing.", rich_help_panel=opt.SOURCE
        ),
    ] = False,
    skip_download: Annotated[
        bool, typer.Option("--skip-download", help="Never fetch anything.", rich_help_panel=opt.SOURCE)
    ] = False,
    redownload: Annotated[
        bool, typer.Option("--redownload", help="Fetch downloads again.", rich_help_panel=opt.SOURCE)
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(help="Name of the shards and files. Default: the corpus's own.", rich_help_panel=opt.MAKE),
    ] = None,
    combine: Annotated[
        bool, typer.Option("--combine", help="Write the training files too.", rich_help_panel=opt.MAKE)
    ] = False,
    clean: Annotated[
        Literal["off", "default", "strict"] | None,
        typer.Option(
            help="Remove poor samples and duplicates. Default: as chosen before, else off.", rich_help_panel=opt.MAKE
        ),
    ] = None,
    max_samples: Annotated[
        int,
        typer.Option(
            min=0, help="Samples to keep per corpus, the first in corpus order; 0 for all.", rich_help_panel=opt.MAKE
        ),
    ] = 1_000_000,
    reset: Annotated[
        bool,
        typer.Option(
            "--reset", help="Remove what is committed of these corpora first; downloads stay.", rich_help_panel=opt.MAKE
        ),
    ] = False,
    max_quarantine: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Share of faulty records above which the exit code is 1.", rich_help_panel=opt.MAKE
        ),
    ] = 0.05,
    seed: opt.Seed = 42,
    no_shuffle: opt.NoShuffle = False,
    pack: opt.Pack = False,
    holdout: opt.Holdout = None,
    evaluation: opt.Evaluation = "train",
    max_line_chars: Annotated[int | None, typer.Option(min=40, help="Longest line.", rich_help_panel=opt.TEXT)] = None,
    audio_format: Annotated[
        Literal["flac", "wav"] | None, typer.Option(help="Default: flac.", rich_help_panel=opt.AUDIO)
    ] = None,
    min_seconds: Annotated[float | None, typer.Option(min=0, help="Shortest clip.", rich_help_panel=opt.AUDIO)] = None,
    max_seconds: Annotated[float | None, typer.Option(min=0, help="Longest clip.", rich_help_panel=opt.AUDIO)] = None,
    resampler: Annotated[
        Literal["soxr", "torchaudio"] | None, typer.Option(help="Default: soxr.", rich_help_panel=opt.AUDIO)
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option(help="mix (default), left, right, or a number that counts from 1.", rich_help_panel=opt.AUDIO),
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="Edge in pixels. Default: 224.", rich_help_panel=opt.PICTURES)
    ] = None,
    fit: Annotated[
        Literal["squash", "crop", "pad"] | None,
        typer.Option(help="How pictures become square. Default: squash.", rich_help_panel=opt.PICTURES),
    ] = None,
    image_format: Annotated[
        Literal["jpeg", "png"] | None, typer.Option(help="Default: jpeg.", rich_help_panel=opt.PICTURES)
    ] = None,
    quality: Annotated[
        int | None, typer.Option(min=1, max=100, help="JPEG quality. Default: 92.", rich_help_panel=opt.PICTURES)
    ] = None,
    root: opt.Root = Path(),
    store: opt.Shards = None,
    address: opt.Address = None,
    cpus: opt.Cpus = None,
    cpus_per_task: opt.CpusPerTask = 1.0,
    gpus: opt.Gpus = 0,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Turn corpora into committed shards; with --combine, into training files."""
    params = check(**locals())

    options = SourceOptions(
        columns=_columns(columns),
        configuration=configuration,
        splits=tuple(splits or ()),
        languages=tuple(languages or ()),
        encoding=named(encoding) if encoding else "",
        chat_template=chat_template,
        header=not no_header,
        keep_columns=keep_columns,
        media_root=None if media_root is None else str(media_root.absolute()),
        follow_links=follow_links,
        retry_failed=retry_failed,
        allow_private=allow_private,
        evaluation=evaluation,
    )
    if dry_run:
        _rehearse(root, list(params), dataset, source, max_samples, options, skip_download, json_)
        return
    report = api.prepare(
        root,
        list(params),
        dataset=dataset or "all",
        source=source,
        name=name,
        max_samples=max_samples or None,
        params=params,
        options=options,
        combine=combine,
        clean=clean,
        seed=None if no_shuffle else seed,
        pack=pack,
        holdout=holdout,
        reset=reset,
        redownload=redownload,
        download=not skip_download,
        agree=consent(yes, quiet or json_),
        max_quarantine=max_quarantine,
        cluster=api.Cluster(address, cpus, cpus_per_task, gpus),
        shards=store,
        reporter=Reporter(quiet=quiet or json_),
    )
    if json_:
        opt.print_json(report.as_dict())
    else:
        show(report)
    raise typer.Exit(report.exit_code)


def _rehearse(
    root: Path,
    modalities: list[str],
    dataset: list[str] | None,
    source: list[str] | None,
    max_samples: int,
    options: SourceOptions,
    skip_download: bool,
    json_: bool,
) -> None:
    lines = api.rehearse(
        root,
        modalities,
        dataset=dataset or "all",
        source=source or (),
        max_samples=max_samples or None,
        options=options,
        download=not skip_download,
    )
    if json_:
        opt.print_json(lines)
    else:
        echo_lines("\n".join(lines))


def _columns(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not (role.strip() and column.strip()) for role, _, column in pairs):
        raise OmniError(f"--columns {text}: write role=column pairs, e.g. text=sentence,audio=clip")
    return {role.strip(): column.strip() for role, _, column in pairs}


def show(report: Any) -> None:
    """Print what a run did: the table, what was skipped, warnings, files, and where it falls short."""
    echo_lines(render(SUMMARY_HEADER, [summary_row(s) for s in report.summaries]))
    for summary in report.summaries:
        if summary.reasons:
            reasons = ", ".join(f"{code} {count:,}" for code, count in sorted(summary.reasons.items()))
            echo(f"{summary.name}: quarantined: {reasons}")
    for summary in report.summaries:
        for line in (*unread_lines(summary, _UNREAD_SHOWN), *repeat_lines(summary)):
            echo(line)
    for summary in report.summaries:
        if summary.removed or summary.mended:
            echo(cleaned_line(summary))
    for corpus, why in report.skipped.items():
        echo(f"skipped {corpus}: {why}")
    for warning in report.warnings:
        echo(f"note: {warning}")
    for line in file_lines(report.files):
        echo(line)
    if not report.units_made:
        echo("nothing to do: every shard was there already")
    for shortfall in report.shortfalls:
        echo(f"falls short: {shortfall}", err=True)
