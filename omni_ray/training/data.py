"""Which files each trainer is to read: training files, synthetic ones, or shards that are not combined yet."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Literal

from omni_ray.errors import OmniError, said_by
from omni_ray.pipeline.parts import Part, part_of
from omni_ray.pipeline.store import Store
from omni_ray.quality.cleaned import training_corpora
from omni_ray.trainers.files import FILES, IMAGE
from omni_ray.trainers.reading import json_list, open_csv
from omni_ray.training.configs import Config
from omni_ray.training.counts import CountedSource, is_file

Choice = Literal["auto", "production", "synthetic"]
ShardsOf = Callable[[str], tuple[Part, ...]]

KEYS: Mapping[str, Mapping[str, str]] = {
    "thinker": {"text": "train_text"},
    "audio_enc": {"asr": "train_csv"},
    "vision": {"images": "train_manifest"},
    "talker": {"tts": "tts_csv"},
    "omni_sft": {"text": "sft_mix.text_path", "images": "sft_mix.image_manifest", "asr": "sft_mix.asr_csv"},
    "ocr": {"ocr": "train_csv"},
    "vocoder": {"tts": "train_csv"},
}
"""For each configuration, the data sets it trains on and the keys that name their files."""
ROOT_KEYS: Mapping[str, Mapping[str, str]] = {
    "vision": {"images": "image_root"},
    "omni_sft": {"images": "sft_mix.image_root"},
    "ocr": {"ocr": "image_root"},
}
"""The keys that name the folder which image paths start from."""
_LOOKED_AT = 16


@dataclass(frozen=True)
class DataFile:
    """The file of one data set.

    Attributes:
        dataset: "text", "images", "asr", "tts" or "ocr".
        path: as it is written in a configuration: relative to the project root, or absolute.
        origin: "production", "synthetic", "configured", or "shards" where the file is still to be combined.
        image_root: the folder that image paths start from; "" for other data.
    """

    dataset: str
    path: str
    origin: str
    source: CountedSource
    image_root: str = ""


def choose(root: Path, shards_of: ShardsOf, config: Config, dataset: str, choice: Choice) -> DataFile:
    """The file that ``config`` should train on.

    "auto" takes the training file where there is one, then the synthetic one, then shards that can be combined,
    then whatever the configuration names now, if it is there.

    Raises:
        OmniError: there is none, or its images cannot be found.
    """
    file = FILES[dataset]
    places = {"production": file.production_path, "synthetic": file.synthetic_path}
    origins = list(places) if choice == "auto" else [choice]
    for origin in origins:
        if is_file(root / places[origin]):
            return _file(root, config, dataset, places[origin], origin)
    shards = shards_of(file.modality) if choice != "synthetic" else ()
    if shards:
        path = file.production_path
        source = CountedSource("shards", str(root / path), shards=shards)
        return DataFile(dataset, path, "shards", source, file.media_root)
    configured = str(config.get(KEYS[config.name][dataset], ""))
    if choice == "auto" and configured and is_file(root / configured):
        return _file(root, config, dataset, configured, "configured")
    how = "`omni-ray synth`" if choice == "synthetic" else f"`omni-ray prepare {file.modality} --combine`"
    raise OmniError(f"no data: {places[origins[0]]} is not there, or is empty; run {how} first")


def text_to_train_on(
    root: Path, shards_of: ShardsOf, configs: Mapping[str, Config], choice: Choice
) -> CountedSource | None:
    """What the tokenizer is to be trained on: the text corpus, or where there is none the captions, or nothing."""
    for name, dataset in (("thinker", "text"), ("vision", "images")):
        try:
            return choose(root, shards_of, configs[name], dataset, choice).source
        except (OmniError, KeyError):
            continue
    return None


def _file(root: Path, config: Config, dataset: str, path: str, origin: str) -> DataFile:
    absolute = str((root / path).absolute())
    if not os.access(absolute, os.R_OK):
        raise OmniError(f"{path}: permission denied")
    file = FILES[dataset]
    if file.form == "lines":
        return DataFile(dataset, path, origin, CountedSource("text", absolute))
    source = (
        CountedSource("json", absolute)
        if file.form == "list"
        else CountedSource("csv", absolute, file.text, file.media)
    )
    if not file.starts_here:
        return DataFile(dataset, path, origin, source)
    return DataFile(dataset, path, origin, source, _image_root(root, config, dataset, path))


def committed_shards(store: Store) -> ShardsOf:
    """What gives the shards of ``store``, as :class:`CountedSource` wants them; each modality is looked at once."""

    @cache
    def shards_of(modality: str) -> tuple[Part, ...]:
        corpora = [(corpus, corpus.state()) for corpus in training_corpora(store, modality)]
        return tuple(
            part_of(corpus, manifest, take)
            for corpus, state in corpora
            for manifest, take in corpus.parts()
            if state is None or not state.is_held(manifest.unit)
        )

    return shards_of


def _image_root(root: Path, config: Config, dataset: str, path: str) -> str:
    """The folder under which the first images of ``path`` are found.

    The folder the specification names, then the one configured, the file's own, its ``images``, and the one above.
    """
    own = Path(path).parent
    configured = str(config.get(ROOT_KEYS[config.name][dataset], ""))
    folders = [
        FILES[dataset].media_root,
        configured,
        own.as_posix(),
        (own / "images").as_posix(),
        own.parent.as_posix(),
    ]
    names = _first_images(root / path, dataset)
    if not names:
        raise OmniError(f"{path}: names no image; prepare it again")
    for folder in dict.fromkeys(filter(None, folders)):
        if any(os.path.isfile(root / folder / name) for name in names):
            return folder
    raise OmniError(f"{path}: {names[0]} is under none of {', '.join(dict.fromkeys(filter(None, folders)))}")


def _first_images(path: Path, dataset: str) -> list[str]:
    def names() -> Iterable[str]:
        with open(path, "rb") as file:
            if FILES[dataset].form == "list":
                for item in json_list(file, str(path)):
                    if isinstance(item, dict) and isinstance(item.get("image"), str):
                        yield item["image"]
            else:
                reader, (place,) = open_csv(file, str(path), [IMAGE])
                for row in reader:
                    if len(row) > place and row[place].strip():
                        yield row[place]

    try:
        return [name for name in islice(names(), _LOOKED_AT) if "\0" not in name]
    except csv.Error as error:
        raise OmniError(f"{path}: {error}") from error
    except OSError as error:
        raise OmniError(f"{path}: {said_by(error)}") from error
