"""``omni-ray prepare``: corpora to committed shards, and on to training files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo, echo_lines
from omni_ray.cli.tables import SUMMARY_HEADER, cleaned_line, file_lines, render, summary_row, unread_lines
from omni_ray.errors import OmniError

_MODALITIES = ("text", "audio", "images", "ocr")
_UNREAD_SHOWN = 8


def prepare(
    modalities: Annotated[list[str], typer.Argument(help="text, audio, images, ocr: one or more.")],
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="A corpus, a category, or all (default); may be repeated. See `omni-ray list`."),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="A folder, archive, file, s3://bucket/folder, or Hugging Face dataset; several are one corpus. Default: "
            "data/downloads/CORPUS."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the shards and files. Default: the corpus's own.")] = None,
    combine: Annotated[bool, typer.Option("--combine", help="Write the training files too.")] = False,
    clean: Annotated[
        str | None,
        typer.Option(help="off (unless chosen before), default or strict: remove poor samples and duplicates."),
    ] = None,
    max_samples: Annotated[
        int, typer.Option(min=0, help="Samples to keep per corpus, the first in corpus order; 0 for all.")
    ] = 1_000_000,
    reset: Annotated[
        bool, typer.Option("--reset", help="Remove what is committed of these corpora first; downloads stay.")
    ] = False,
    redownload: Annotated[bool, typer.Option("--redownload", help="Fetch downloads again.")] = False,
    max_quarantine: Annotated[
        float, typer.Option(min=0, max=1, help="Share of faulty records above which the exit code is 1.")
    ] = 0.05,
    splits: Annotated[list[str] | None, typer.Option("--split", help="Only this split; may be repeated.")] = None,
    languages: Annotated[
        list[str] | None,
        typer.Option("--language", help="Only this language of common_voice, mls or fleurs (de); may be repeated."),
    ] = None,
    columns: Annotated[
        str, typer.Option(help="Columns of a table source by role, e.g. text=sentence,audio=clip.")
    ] = "",
    media_root: Annotated[
        Path | None, typer.Option(help="The folder in which the media are that tables name by a path.")
    ] = None,
    no_header: Annotated[
        bool, typer.Option("--no-header", help="CSV and TSV without a header: --columns takes numbers, e.g. text=2.")
    ] = False,
    encoding: Annotated[
        str, typer.Option(help="Encoding of text files, such as cp1252. Default: what each file says or shows.")
    ] = "",
    corpus_file: Annotated[Path | None, typer.Option(help="A Python file that defines a corpus of your own.")] = None,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Follow links that lead out of the source: for sources you trust.")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="image_urls: ask again where an address failed for a passing reason.")
    ] = False,
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="image_urls: fetch from private networks and this machine, too.")
    ] = False,
    skip_download: Annotated[bool, typer.Option("--skip-download", help="Never fetch anything.")] = False,
    max_line_chars: Annotated[int | None, typer.Option(min=40, help="text: longest line.")] = None,
    audio_format: Annotated[str | None, typer.Option(help="audio: flac (default) or wav.")] = None,
    min_seconds: Annotated[float | None, typer.Option(min=0, help="audio: shortest clip.")] = None,
    max_seconds: Annotated[float | None, typer.Option(min=0, help="audio: longest clip.")] = None,
    resampler: Annotated[str | None, typer.Option(help="audio: soxr (default) or torchaudio.")] = None,
    channel: Annotated[
        str | None, typer.Option(help="audio: mix (default), left, right, or a number that counts from 1.")
    ] = None,
    size: Annotated[int | None, typer.Option(min=1, help="images, ocr: edge in pixels (224).")] = None,
    fit: Annotated[str | None, typer.Option(help="images, ocr: squash (default), crop or pad.")] = None,
    image_format: Annotated[str | None, typer.Option(help="images, ocr: jpeg or png.")] = None,
    quality: Annotated[int | None, typer.Option(min=1, max=100, help="images, ocr: JPEG quality (92).")] = None,
    seed: opt.Seed = 42,
    no_shuffle: opt.NoShuffle = False,
    pack: opt.Pack = False,
    holdout: opt.Holdout = None,
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
    from omni_ray import api
    from omni_ray.corpora.base import Options
    from omni_ray.pipeline.progress import Reporter
    from omni_ray.sources.encoding import named

    for each in modalities:
        if each not in _MODALITIES:
            raise OmniError(f"{each} is not a modality; there are: {', '.join(_MODALITIES)}")
    if corpus_file is not None:
        from omni_ray.corpora.registry import add_file

        add_file(corpus_file)
    given: dict[str, dict[str, Any]] = {
        "text": {"max_line_chars": max_line_chars},
        "audio": {
            "audio_format": audio_format,
            "min_seconds": min_seconds,
            "max_seconds": max_seconds,
            "resampler": resampler,
            "channel": channel,
        },
        "images": {"size": size, "fit": fit, "image_format": image_format, "quality": quality},
        "ocr": {"size": size, "fit": fit, "image_format": image_format, "quality": quality},
    }
    params = {each: {k: v for k, v in given[each].items() if v is not None} for each in modalities}
    _refuse_strangers(given, modalities)
    report = api.prepare(
        root,
        modalities,
        dataset=dataset or "all",
        source=source,
        name=name,
        max_samples=max_samples or None,
        params=params,
        options=Options(
            columns=_columns(columns),
            splits=tuple(splits or ()),
            languages=tuple(languages or ()),
            encoding=named(encoding) if encoding else "",
            header=not no_header,
            media_root=None if media_root is None else str(media_root.absolute()),
            follow_links=follow_links,
            retry_failed=retry_failed,
            allow_private=allow_private,
        ),
        combine=combine,
        clean=clean,
        seed=None if no_shuffle else seed,
        pack=pack,
        holdout=holdout,
        reset=reset,
        redownload=redownload,
        download=not skip_download,
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


def _columns(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not (role.strip() and column.strip()) for role, _, column in pairs):
        raise OmniError(f"--columns {text}: write role=column pairs, e.g. text=sentence,audio=clip")
    return {role.strip(): column.strip() for role, _, column in pairs}


def _refuse_strangers(given: dict[str, dict[str, Any]], modalities: list[str]) -> None:
    """An option that none of the asked modalities knows is a mistake, not something to ignore."""
    known = {option for each in modalities for option in given[each]}
    for each, values in given.items():
        for option, value in values.items():
            if value is not None and option not in known:
                raise OmniError(f"--{option.replace('_', '-')} is for {each}, which is not prepared here")


def show(report: Any) -> None:
    """Print what a run did: the table, what was skipped, warnings, files, and where it falls short."""
    echo_lines(render(SUMMARY_HEADER, [summary_row(s) for s in report.summaries]))
    for summary in report.summaries:
        if summary.reasons:
            reasons = ", ".join(f"{code} {count:,}" for code, count in sorted(summary.reasons.items()))
            echo(f"{summary.name}: quarantined: {reasons}")
    for summary in report.summaries:
        for line in unread_lines(summary, _UNREAD_SHOWN):
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
