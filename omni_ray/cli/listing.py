"""``omni-ray list``: what corpora there are, and how to get them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo, print_json
from omni_ray.corpora.base import downloads_folder
from omni_ray.corpora.registry import all_corpora
from omni_ray.trainers.files import ModalityName


def list_corpora(
    modality: Annotated[ModalityName | None, typer.Argument(metavar="MODALITY", help="Default: all.")] = None,
    root: opt.Root = Path(),
    json_: opt.Json = False,
) -> None:
    """List the corpora: licence, size, layout, and how to get each. Never starts Ray."""
    corpora = all_corpora(modality)
    if json_:
        print_json(
            [
                {
                    "name": c.name,
                    "modality": c.modality,
                    "title": c.title,
                    "categories": c.categories if c.in_all else (),
                    "licence": c.licence,
                    "homepage": c.homepage,
                    "size": c.size,
                    "layout": c.layout,
                    "downloads": [
                        {"url": d.url, "path": d.path, "size": d.size, "split": d.split} for d in c.downloads
                    ],
                    "manual": c.manual,
                    "hub_id": c.hub_id,
                    "folder": str(downloads_folder(root, c)),
                }
                for c in corpora
            ]
        )
        return
    for c in corpora:
        group = f", in {', '.join(('all', *c.categories))}" if c.in_all else ", by name only"
        echo(f"{c.modality}/{c.name}: {c.title}")
        echo(f"  licence: {c.licence}; size: {c.size}{group}")
        echo(f"  layout:  {c.layout}")
        if c.downloads:
            echo(
                f"  get it:  omni-ray prepare {c.modality} --dataset {c.name}, which fetches it into "
                f"{downloads_folder(root, c)}"
            )
            if splits := [d.split for d in c.downloads if d.split]:
                parts = ", ".join(dict.fromkeys(splits))
                echo(f"           in parts: --split {parts}; by default those to train on")
            echo("           for a first try: --split mini")
        elif c.manual:
            echo(f"  get it:  {c.manual} Put it into {downloads_folder(root, c)}")
        if c.hub_id:
            echo(f"  or:      --source {c.hub_id} (Hugging Face)")
