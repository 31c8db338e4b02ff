"""The specification's download scripts: ``jobs/download_production_*.py`` are this, for one modality each.

The same work as ``omni-ray prepare``, with the same options, in the current folder.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from omni_ray import api
from omni_ray.api.options import PrepareOptions
from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo, show
from omni_ray.cli.running import run_script
from omni_ray.trainers.files import ModalityName


def main(modality: ModalityName) -> None:
    """Run the script of ``modality``."""

    again = "Start over, and fetch again (not with --source or --skip-download)."

    @opt.taking(PrepareOptions, helps={"reset": again}, modality=modality)
    def download(
        *,
        root: opt.Root = Path(),
        asked: PrepareOptions,
        skip_extract: Annotated[
            bool, typer.Option("--skip-extract", help="Accepted; archives are read in place, never extracted.")
        ] = False,
        skip_convert: Annotated[
            bool, typer.Option("--skip-convert", help="Fetch only; make nothing of it yet.")
        ] = False,
        json_: opt.Json = False,
    ) -> None:
        if skip_convert:
            fetched = api.download(
                root,
                modality,
                dataset=asked.dataset,
                max_samples=asked.limit,
                again=asked.reset,
                reporter=asked.reporter,
            )
            show(fetched, json_)
            return
        redownload = asked.redownload or (asked.reset and asked.download and not asked.sources)
        report = api.prepare(root, **vars(replace(asked, corpus_files=not asked.combine, redownload=redownload)))
        show(report, json_)
        if not json_ and not asked.combine:
            echo("the trainers need the training files: run again with --combine to write them")
        raise typer.Exit(report.exit_code)

    run_script(download, f"Prepare {modality} training data. The same as `omni-ray prepare {modality}`.")
