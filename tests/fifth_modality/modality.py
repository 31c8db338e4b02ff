"""Melodies, as ``omni_ray/modalities/melodies.py`` would have them: a score in ABC notation, and what it is called."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from omni_ray.media_names import safe_name
from omni_ray.modalities.base import Modality, Params, Transformed, media_type, schema_of_raw, schema_of_shards
from omni_ray.records import Rejected

_SCORE = {name: {"dtype": kind, "_type": "Value"} for name, kind in (("bytes", "binary"), ("path", "string"))}


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

    raw_schema = schema_of_raw(("path", pa.string()), ("title", pa.string()), ("score", pa.binary()))
    schema = schema_of_shards(("score", media_type()), ("title", pa.string()), score=_SCORE)

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
