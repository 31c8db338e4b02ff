"""A corpus of two small files that are fetched from the address in FETCHED_FROM; for kills of a download."""

import hashlib
import os
from typing import ClassVar

from omni_ray.corpora.base import Download
from omni_ray.corpora.text_files import TextFiles

CONTENTS = {f"{name}.txt": (f"Line of {name}.\n" * 20_000).encode() for name in ("one", "two")}


class Fetched(TextFiles):
    """Text files, the second with a published checksum."""

    name = "fetched"
    in_all = False
    downloads: ClassVar[tuple[Download, ...]] = (
        Download(f"{os.environ['FETCHED_FROM']}/one.txt", "one.txt"),
        Download(
            f"{os.environ['FETCHED_FROM']}/two.txt", "two.txt", len(CONTENTS["two.txt"]),
            "sha256:" + hashlib.sha256(CONTENTS["two.txt"]).hexdigest(),
        ),
    )  # fmt: skip
