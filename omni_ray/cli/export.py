"""``omni-ray export``: what is prepared, as a Hugging Face dataset, as WebDataset tar files, or for MosaicML streaming."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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


def _lengths(file: str, usual: str) -> dict[str, str]:
    """Help for the length of files, which are ``usual`` bytes long by default."""
    return {
        "samples_per_shard": f"Samples of each {file}.",
        "shard_bytes": f"About this many bytes a {file}. Default: {usual}.",
    }


@app.command("hf", cls=Command)
@opt.step
@opt.taking(ExportOptions, form="hf", samples_per_shard=None, shard_bytes=None)
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


_OTHERS = {
    "webdataset": opt.passing(
        "export",
        ExportOptions,
        "Tar files of key.jpg, key.flac, key.txt and key.json, with index.json and sizes.json.",
        _lengths("tar file", "268435456 (256 MiB)"),
        form="webdataset",
    ),
    "mds": opt.passing(
        "export",
        ExportOptions,
        "A folder for each corpus that MosaicML's StreamingDataset reads.",
        _lengths("file", "67108864 (64 MiB)"),
        form="mds",
    ),
    "files": opt.passing(
        "publish",
        PublishOptions,
        "The training files themselves, with media and configs: for jobs that mount the place.",
    ),
}
for _name, _command in _OTHERS.items():
    app.command(_name, cls=Command)(opt.step(_command))
