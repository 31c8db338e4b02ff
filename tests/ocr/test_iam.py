"""IAM's lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from omni_ray.corpora.iam import Iam
from tests.list_sources import Source, kept, lost
from tests.made_store import picture

LINES = """#--- lines.txt ---
#
a01-000u-00 ok 154 19 408 746 1661 89 A|MOVE|to|stop|Mr.|Gaitskell|from
a01-000u-01 err 156 19 395 932 1850 105 nominating|any|more
a01-000u-02 ok 157
a01-000x-00 ok 182 30 375 748 1561 148 not|there
"""


@pytest.mark.parametrize("place", ["lines/a01/a01-000u/", "a01/a01-000u/", "lines/"])
def test_lines(tmp_path: Path, place: str) -> None:
    source = Source(tmp_path)
    source.put("ascii/lines.txt", LINES)
    source.put("ascii/words.txt", "a01-000u-00-00 ok 154 408 768 27 51 AT A\n")
    for number in range(2):
        source.put(f"{place}a01-000u-{number:02}.png", picture(number))
    rows = source.rows(Iam())
    assert [(row["id"], row["words"][0]["text"]) for row in kept(rows)] == [
        ("a01-000u-00", "A MOVE to stop Mr. Gaitskell from"),
        ("a01-000u-01", "nominating any more"),
    ]
    assert lost(rows) == [("ascii/lines.txt:5", "bad_row"), ("a01-000x-00", "missing_media")]
