"""The specification's download scripts: ``jobs/download_production_*.py`` are this, for one modality each.

The same work as ``omni-ray prepare``, under the names and flags the specification gives, in the current folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omni_ray import api
from omni_ray.cli import options as opt
from omni_ray.cli.prepare import show
from omni_ray.cli.printing import echo
from omni_ray.cli.running import run_script
from omni_ray.corpora.base import SourceOptions
from omni_ray.progress.reporter import Reporter


def main(modality: str) -> None:
    """Run the script of ``modality``."""

    def download(
        dataset: Annotated[
            list[str] | None, typer.Option(help="A corpus, a category, or all (default); may be repeated.")
        ] = None,
        combine: Annotated[
            bool, typer.Option("--combine", help="Write the training files: needed for training.")
        ] = False,
        pack: opt.Pack = False,
        holdout: opt.Holdout = None,
        evaluation: opt.Evaluation = "train",
        max_samples: Annotated[int, typer.Option(min=0, help="Samples per corpus; 0 for all.")] = 1_000_000,
        reset: Annotated[
            bool, typer.Option("--reset", help="Start over, and fetch again (not with --source or --skip-download).")
        ] = False,
        skip_download: Annotated[
            bool, typer.Option("--skip-download", help="Use only what is in data/downloads.")
        ] = False,
        skip_extract: Annotated[
            bool,
            typer.Option("--skip-extract", help="Accepted; archives are read in place, never extracted."),
        ] = False,
        skip_convert: Annotated[
            bool, typer.Option("--skip-convert", help="Fetch only; make nothing of it yet.")
        ] = False,
        source: Annotated[
            list[str] | None, typer.Option(help="Read from here instead of fetching; may be repeated.")
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
        reporter = Reporter(quiet=quiet or json_)
        if skip_convert:
            lines = api.download(
                root, modality, dataset=dataset or "all", max_samples=max_samples or None, again=reset, say=reporter.say
            )
            if json_:
                opt.print_json(lines)
            else:
                for line in lines:
                    echo(line)
            return
        report = api.prepare(
            root,
            modality,
            dataset=dataset or "all",
            source=source,
            max_samples=max_samples or None,
            options=SourceOptions(evaluation=evaluation),
            combine=combine,
            corpus_files=not combine,
            pack=pack,
            holdout=holdout,
            reset=reset,
            redownload=reset and not source and not skip_download,
            download=not skip_download,
            cluster=api.Cluster(address, cpus, cpus_per_task, gpus),
            shards=store,
            reporter=reporter,
        )
        if json_:
            opt.print_json(report.as_dict())
        else:
            show(report)
            if not combine:
                echo("the trainers need the training files: run again with --combine to write them")
        raise typer.Exit(report.exit_code)

    run_script(download, f"Prepare {modality} training data. The same as `omni-ray prepare {modality}`.")
