"""``omni-ray synth``: made-up training data, for trying the trainers out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omni_ray import api
from omni_ray.api.options import SynthesisOptions
from omni_ray.cli import options as opt
from omni_ray.cli.printing import show


@opt.taking(SynthesisOptions, shards=None)
def synth(
    *,
    root: opt.Root = Path(),
    asked: SynthesisOptions,
    native: Annotated[
        Path | None, typer.Option(help="Write small corpora in their native layouts here instead of the tiny files.")
    ] = None,
    json_: opt.Json = False,
) -> None:
    """Write tiny_corpus.txt, asr.csv, tts.csv, annotations.json and ocr_train.csv, usable by every trainer."""
    if native is not None:
        made = api.synthesize_native(native, seed=asked.seed, cluster=asked.cluster, reporter=asked.reporter)
        show(made, json_)
    else:
        show(api.synthesize(root, **vars(asked)), json_)
