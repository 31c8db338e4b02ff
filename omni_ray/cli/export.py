"""``omni-ray export``: what is prepared, as a Hugging Face dataset, as WebDataset tar files, or for MosaicML streaming."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from omni_ray import api
from omni_ray.api.options import ExportOptions, PublishOptions
from omni_ray.cli import options as opt
from omni_ray.cli.help import Command, CommandGroup
from omni_ray.cli.printing import echo, show
from omni_ray.export.push import check_name

app = typer.Typer(help="Export what is prepared as a dataset for other tools.", no_args_is_help=True, cls=CommandGroup)


@app.callback()
def export() -> None:
    """Export what is prepared as a dataset for other tools."""


def _taking(form: str, help: str = "", length: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Taking the options of one form: a length of files only where ``length`` gives its default."""
    helps = {
        "samples_per_shard": f"Samples of each {help}.",
        "shard_bytes": f"About this many bytes a {help}. Default: {length}.",
    }
    fixed: dict[str, Any] = {"form": form} if length else {"form": form, "samples_per_shard": None, "shard_bytes": None}
    return opt.taking(ExportOptions, helps=helps, **fixed)


@app.command("hf", cls=Command)
@opt.step
@_taking("hf")
def hf(
    *,
    root: opt.Root = Path(),
    asked: ExportOptions,
    push: Annotated[
        str | None, typer.Option(metavar="ORG/NAME", help="Also upload it to the hub, with HF_TOKEN.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="With --push: make a new dataset private.")] = False,
    json_: opt.Json = False,
) -> None:
    """Parquet files and a dataset card: datasets.load_dataset(DIR), load_dataset(DIR, "audio-librispeech")."""
    if push is not None:
        check_name(push)
    show(api.export(root, **vars(asked)), json_)
    if push is not None:
        sent = api.push(asked.folder, push, private=private, reporter=asked.reporter)
        echo(sent.address, err=json_)


@app.command("webdataset", cls=Command)
@opt.step
@_taking("webdataset", "tar file", "268435456 (256 MiB)")
def webdataset(*, root: opt.Root = Path(), asked: ExportOptions, json_: opt.Json = False) -> None:
    """Tar files of key.jpg, key.flac, key.txt and key.json, with index.json and sizes.json."""
    show(api.export(root, **vars(asked)), json_)


@app.command("mds", cls=Command)
@opt.step
@_taking("mds", "file", "67108864 (64 MiB)")
def mds(*, root: opt.Root = Path(), asked: ExportOptions, json_: opt.Json = False) -> None:
    """A folder for each corpus that MosaicML's StreamingDataset reads."""
    show(api.export(root, **vars(asked)), json_)


@app.command("files", cls=Command)
@opt.step
@opt.taking(PublishOptions)
def files(*, root: opt.Root = Path(), asked: PublishOptions, json_: opt.Json = False) -> None:
    """The training files themselves, with media and configs: for jobs that mount the place."""
    show(api.publish(root, **vars(asked)), json_)
