"""The rules for pictures and their captions."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.quality.characters import character_class
from omni_ray.quality.picture_hash import grey
from omni_ray.quality.rules import BOTH, OURS, Change, Rule, Values, column

_BOILERPLATE = (
    r"^(?:(?:img|dsc|dscn|dscf|pict?|image|photo|screenshot|untitled|unnamed)[\s_\-]*\d*(?:\.[a-z]{3,4})?"
    r"|[\w\-]+\.(?:jpe?g|png|gif|webp|bmp)|(?:https?://|www\.)\S+|click (?:here|to|on|for)\b.*"
    r"|tap (?:here|to (?:close|download|enlarge|expand|open|play|read|see|show|view|zoom))\b.*"
    r"|(?:no )?(?:caption|description|alt text|title)(?: available)?|stock photo|thumbnail|logo|null|none|n/a)\W*$"
)


class Pictures:
    """Image shard rows (or word pictures), each decoded once."""

    def __init__(self, rows: pa.Table) -> None:
        self.rows = rows

    @cached_property
    def measured(self) -> Values:
        """(pictures, 3): standard deviation of brightness, its entropy in bits, its 2nd to 98th percentile range."""
        files = self.rows["image"].combine_chunks().field("bytes")
        return np.array([_measure(data.as_py()) for data in files], np.float64).reshape(-1, 3)

    @cached_property
    def captions(self) -> tuple[pa.Array, np.ndarray]:
        """All captions one after the other, and the row of each."""
        lists = self.rows["captions"].combine_chunks()
        return lists.flatten(), pc.list_parent_indices(lists).to_numpy().astype(np.int64)


def _measure(data: bytes) -> tuple[float, float, float]:
    pixels = grey(data)
    counts = np.bincount(pixels.astype(np.uint8).reshape(-1), minlength=256) / pixels.size
    present = counts[counts > 0]
    low, high = np.percentile(pixels, (2, 98))
    return float(pixels.std()), float(-(present * np.log2(present)).sum()), float(high - low)


def source_sizes(pictures: Pictures) -> tuple[Values, Values]:
    """Source width and height; NaN where the shard does not hold them."""
    names = ("source_width", "source_height")
    if not set(names) <= set(pictures.rows.column_names):
        unknown = np.full(pictures.rows.num_rows, np.nan)
        return unknown, unknown
    width, height = (pictures.rows[name].cast(pa.float64()).to_numpy(zero_copy_only=False) for name in names)
    return width, height


def short_edge(pictures: Pictures) -> Values:
    """Pixels of the shorter edge of the source; NaN where unknown."""
    return np.minimum(*source_sizes(pictures))


def aspect(pictures: Pictures) -> Values:
    """Longer over shorter edge of the source; NaN where unknown."""
    width, height = source_sizes(pictures)
    return np.maximum(width, height) / np.maximum(np.minimum(width, height), 1)


def _caption_words(pictures: Pictures) -> Values:
    """Runs of letters and digits; where no blanks are written between words, every character is one."""
    texts, _ = pictures.captions
    unspaced = f"[{character_class('unspaced')}]"
    characters = pc.count_substring_regex(texts, unspaced).to_numpy()
    runs = pc.count_substring_regex(pc.replace_substring_regex(texts, unspaced, " "), r"[\p{L}\p{N}]+").to_numpy()
    return (characters + runs).astype(np.float64)  # type: ignore[no-any-return]


def _boilerplate(pictures: Pictures) -> Values:
    texts, _ = pictures.captions
    found = pc.match_substring_regex(texts, _BOILERPLATE, ignore_case=True)
    return found.to_numpy(zero_copy_only=False).astype(np.float64)  # type: ignore[no-any-return]


def _said_before(pictures: Pictures) -> Values:
    texts, rows = pictures.captions
    seen: set[tuple[int, str]] = set()
    found = np.zeros(len(rows))
    for number, (row, text) in enumerate(zip(rows.tolist(), pc.utf8_lower(texts).to_pylist(), strict=True)):
        key = (row, text.rstrip(" .!"))
        found[number] = key in seen
        seen.add(key)
    return found


IMAGE_RULES: tuple[Rule | Change, ...] = (
    Rule("source_edge", "image", "small_source", "pixels of the source's shorter edge", "after DataComp (Gadre et al. 2023: 200), relaxed", short_edge, low=64, presets=BOTH),
    Rule("aspect", "image", "aspect", "longer over shorter edge of the source", "after DataComp (under 3) and CC12M (2.5), relaxed", aspect, high=4.0, presets=BOTH),
    Rule("brightness_spread", "image", "blank", "standard deviation of brightness, of 255", OURS, column(0), low=4.0, presets=BOTH),
    Rule("entropy", "image", "blank", "bits of brightness", OURS, column(1), low=1.0, presets=BOTH),
    Rule("caption_words", "caption", "text_length", "words of the caption", "after CC12M (Changpinyo et al. 2021: 3 to 256), relaxed", _caption_words, low=2, high=256, presets=BOTH),
    Rule("caption_boilerplate", "caption", "boilerplate", "a file name, address or stock phrase", OURS, _boilerplate, high=0, presets=BOTH),
    Rule("caption_repeated", "caption", "duplicate_caption", "an earlier caption of the picture says it", OURS, _said_before, high=0, presets=BOTH),
)  # fmt: skip
