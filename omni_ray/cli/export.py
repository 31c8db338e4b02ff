"""``omni-ray export``: what is prepared, as a Hugging Face dataset, as WebDataset tar files, or for MosaicML streaming."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omni_ray import api
from omni_ray.cli import options as opt
from omni_ray.cli.help import Command, CommandGroup
from omni_ray.cli.printing import echo, echo_lines
from omni_ray.cli.tables import render
from omni_ray.export.push import check_name
from omni_ray.progress.reporter import Reporter

app = typer.Typer(help="What is prepared, as a dataset that other tools read.", no_args_is_help=True, cls=CommandGroup)

Folder = Annotated[str, typer.Argument(metavar="DIR", help="A new folder, or one with an earlier export.")]
Modalities = Annotated[list[opt.Modality] | None, typer.Option("--modality", help="Only this; may be repeated.")]
Datasets = Annotated[list[str] | None, typer.Option("--dataset", help="Only this corpus; may be repeated.")]


@app.callback()
def export() -> None:
    """What is prepared, as a dataset that other tools read."""


@app.command("hf", cls=Command)
@opt.step
def hf(
    folder: Folder,
    push: Annotated[
        str | None, typer.Option(metavar="ORG/NAME", help="Upload it to the hub, too, as HF_TOKEN may.")
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="With --push: make a new dataset private.")] = False,
    modalities: Modalities = None,
    datasets: Datasets = None,
    root: opt.Root = Path(),
    store: opt.Shards = None,
    address: opt.Address = None,
    cpus: opt.Cpus = None,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Parquet files and a dataset card: datasets.load_dataset(DIR), load_dataset(DIR, "audio-librispeech")."""
    if push is not None:
        check_name(push)
    _export("hf", folder, modalities, datasets, None, None, root, store, address, cpus, json_, quiet)
    if push is not None:
        place = api.push(folder, push, private=private, reporter=Reporter(quiet=quiet or json_))
        echo(place, err=json_)


@app.command("webdataset", cls=Command)
@opt.step
def webdataset(
    folder: Folder,
    samples_per_shard: Annotated[int | None, typer.Option(min=1, help="Samples of each tar file.")] = None,
    shard_bytes: Annotated[
        int | None, typer.Option(min=1, help="About so many bytes a tar file. Default: 268435456 (256 MiB).")
    ] = None,
    modalities: Modalities = None,
    datasets: Datasets = None,
    root: opt.Root = Path(),
    store: opt.Shards = None,
    address: opt.Address = None,
    cpus: opt.Cpus = None,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Tar files of key.jpg, key.flac, key.txt and key.json, with index.json and sizes.json."""
    _export(
        "webdataset", folder, modalities, datasets, samples_per_shard, shard_bytes, root, store, address, cpus, json_,
        quiet,
    )  # fmt: skip


@app.command("mds", cls=Command)
@opt.step
def mds(
    folder: Folder,
    samples_per_shard: Annotated[int | None, typer.Option(min=1, help="Samples of each file.")] = None,
    shard_bytes: Annotated[
        int | None, typer.Option(min=1, help="About so many bytes a file. Default: 67108864 (64 MiB).")
    ] = None,
    modalities: Modalities = None,
    datasets: Datasets = None,
    root: opt.Root = Path(),
    store: opt.Shards = None,
    address: opt.Address = None,
    cpus: opt.Cpus = None,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """A folder for each corpus that MosaicML's StreamingDataset reads."""
    _export(
        "mds", folder, modalities, datasets, samples_per_shard, shard_bytes, root, store, address, cpus, json_, quiet
    )


@app.command("files", cls=Command)
@opt.step
def files(
    place: Annotated[str, typer.Argument(metavar="PLACE", help="A folder, or s3://bucket/prefix.")],
    modalities: Modalities = None,
    root: opt.Root = Path(),
    store: opt.Shards = None,
    address: opt.Address = None,
    cpus: opt.Cpus = None,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """The training files themselves, with media and configs: for jobs that mount the place."""
    report = api.publish(
        root,
        place,
        modalities=modalities or (),
        cluster=api.Cluster(address, cpus),
        shards=store,
        reporter=Reporter(quiet=quiet or json_),
    )
    if json_:
        opt.print_json(report.as_dict())
        return
    removed = f", {report.removed:,} old ones removed" if report.removed else ""
    echo(f"{report.place}: {report.files:,} files and {report.media:,} media; {report.sent:,} sent{removed}")


def _export(
    form: str,
    folder: str,
    modalities: list[opt.Modality] | None,
    datasets: list[str] | None,
    samples_per_shard: int | None,
    shard_bytes: int | None,
    root: Path,
    store: str | None,
    address: str | None,
    cpus: int | None,
    json_: bool,
    quiet: bool,
) -> None:
    report = api.export(
        root,
        form,
        folder,
        modalities=modalities or (),
        names=datasets or (),
        samples_per_shard=samples_per_shard,
        shard_bytes=shard_bytes,
        cluster=api.Cluster(address, cpus),
        shards=store,
        reporter=Reporter(quiet=quiet or json_),
    )
    if json_:
        opt.print_json(report.as_dict())
        return
    header = ("dataset", "split", "rows", "samples")
    echo_lines(render(header, [(each.name, each.split, each.rows, each.samples) for each in report.corpora], left=2))
    said = "nothing to do: it was all there already" if report.was_there else "written"
    echo(f"{report.folder}: {report.files:,} files, {report.bytes:,} bytes; {said}")
