"""One rule, as ``omni_ray/quality/clean_melodies.py`` would have it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.quality.clean import Cleaner, row_by_row
from omni_ray.quality.rules import Rule, Values


def _title_length(rows: pa.Table) -> Values:
    return pc.utf8_length(rows["title"]).to_numpy().astype(np.float64)  # type: ignore[no-any-return]


_RULES = (
    Rule("title", "melody", "text_length", "characters of the title", "omni_ray", _title_length, 3, None, ("default",)),
)
CLEANER = Cleaner(_RULES, row_by_row("melodies", lambda rows: rows))
