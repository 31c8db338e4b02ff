"""Columns of a partitioned dataset that only its folders say: ``lang=en/year=2024/part-0.parquet`` (Hive, Spark, pandas)."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import unquote

_NULL = "__HIVE_DEFAULT_PARTITION__"


@lru_cache(maxsize=64)
def partition(name: str) -> dict[str, str | None]:
    """What the folders of a file say of all its rows."""
    pairs = [folder.partition("=") for folder in name.split("/")[:-1]]
    return {unquote(key): None if value == _NULL else unquote(value) for key, sign, value in pairs if key and sign}
