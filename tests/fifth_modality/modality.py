"""Melodies, as ``omni_ray/modalities/melodies.py`` would have them: a score in ABC notation, and what it is called."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pyarrow as pa

from omni_ray.media_names import safe_name
from omni_ray.modalities.base import Modality, Params, Transformed
from omni_ray.records import Rejected

_STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@dataclass(frozen=True)
class MelodyParams(Params):
    """Nothing to choose but the longest score, in bytes."""

    most_bytes: int = 1000


class Melodies(Modality[MelodyParams]):
    """A record, a sample and a row are a melody."""

    name = "melodies"
    params_type = MelodyParams
    media, raw_said, said = "score", "title", "title"
    title, row, samples, judged, held_together = "Melodies", "melody", "melodies", "melody", "melody"
    tasks = ("audio-to-audio",)
    own_files = "tunes"

    @property
    def raw_schema(self) -> pa.Schema:
        strings = [(name, pa.string()) for name in ("id", "where", "path", "title")]
        return pa.schema([*strings, ("score", pa.binary()), ("records", pa.int32())])

    @property
    def schema(self) -> pa.Schema:
        said = {name: {"dtype": "string", "_type": "Value"} for name in ("id", "corpus", "title")}
        score = {name: {"dtype": kind, "_type": "Value"} for name, kind in (("bytes", "binary"), ("path", "string"))}
        fields = [("id", pa.string()), ("corpus", pa.string()), ("score", _STRUCT), ("title", pa.string())]
        return pa.schema(fields, {"huggingface": json.dumps({"info": {"features": {**said, "score": score}}})})

    def transform(self, raw: pa.Table, corpus: str, params: MelodyParams) -> Transformed:
        kept, rejected = [], []
        for row in raw.to_pylist():
            if len(row["score"]) > params.most_bytes:
                rejected.append(Rejected(row["id"], row["where"], "too_long", f"{len(row['score'])} bytes"))
                continue
            score = {"bytes": row["score"], "path": safe_name(row["path"])}
            kept.append({"id": row["id"], "corpus": corpus, "score": score, "title": row["title"]})
        return Transformed(pa.Table.from_pylist(kept, schema=self.schema), rejected)


MODALITY = Melodies()
