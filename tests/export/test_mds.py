"""``omni-ray export mds``: what a reader written from the format finds is what was committed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from omni_ray.errors import OmniError
from omni_ray.export import mds
from omni_ray.export.run import export
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from tests.made_store import make_store

DECODERS = {"bytes": bytes, "str": bytes.decode, "json": json.loads}


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Every sample of a corpus, by the offsets of its files alone."""
    index = json.loads((folder / "index.json").read_bytes())
    assert index["version"] == 2
    for shard in index["shards"]:
        data = (folder / shard["raw_data"]["basename"]).read_bytes()
        assert len(data) == shard["raw_data"]["bytes"] and shard["zip_data"] is None
        count = int(np.frombuffer(data, "<u4", 1)[0])
        offsets = np.frombuffer(data, "<u4", count + 1, 4).tolist()
        assert count == shard["samples"] and offsets[-1] == len(data)
        assert json.loads(data[4 * (count + 2) : offsets[0]])["column_names"] == shard["column_names"]
        for start, end in pairwise(offsets):
            names, encodings = shard["column_names"], shard["column_encodings"]
            sizes = np.frombuffer(data, "<u4", len(names), start).tolist()
            place, sample = start + 4 * len(names), {}
            for name, encoding, size in zip(names, encodings, sizes, strict=True):
                sample[name] = DECODERS[encoding](data[place : place + size])
                place += size
            assert place == end and names == sorted(names)
            yield sample


def made(tmp_path: Path, **more: Any) -> Path:
    store = Store(make_store(tmp_path / "project"))
    export(store, "mds", tmp_path / "out", run=inline, **more)
    return tmp_path / "out"


def test_samples_come_back_in_order(tmp_path: Path) -> None:
    out = made(tmp_path, samples_per_shard=4)
    assert len(list((out / "audio-audio_corpus").glob("*.mds"))) == 3
    clips = list(read(out / "audio-audio_corpus"))
    assert [each["id"] for each in clips] == [f"19-198-{n:04d}" for n in range(10)]
    samples, rate = soundfile.read(io.BytesIO(clips[3]["audio"]))
    assert (len(samples), rate, clips[3]["text"]) == (8000, 16_000, "words of clip 3")
    assert clips[3]["more"]["speaker"] == "s0"
    pictures = list(read(out / "images-images_corpus"))
    assert Image.open(io.BytesIO(pictures[9]["image"])).size == (32, 32)
    assert pictures[9]["captions"] == [f"Caption {n} of picture 9" for n in range(3)]
    assert [each["text"] for each in read(out / "ocr-ocr_corpus")] == [f"W\u00f6rd{n}" for n in range(10)]
    lines = list(read(out / "text-text_corpus"))
    assert lines[4]["text"] == "Line 4 of the corpus." and lines[4]["more"]["lang"] == "en"


def test_a_file_that_offsets_cannot_reach_into_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mds, "_MOST_BYTES", 2_000)
    with pytest.raises(OmniError, match="--samples-per-shard"):
        made(tmp_path)
