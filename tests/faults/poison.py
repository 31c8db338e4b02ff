"""A corpus of lines, one of which does to its worker what the file ``harm`` says; for the tests of dying workers."""

import os
import resource
import signal
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora import Corpus, Options, UnitDraft
from omni_ray.sources.tree import Tree

UNITS = 6


class Poison(Corpus):
    """Six units of one line each; the fourth is the bad one."""

    name = "poison"
    modality = "text"
    title = licence = homepage = size = layout = "made up"
    in_all = False

    def units(self, tree: Tree, options: Options) -> Iterator[UnitDraft]:
        for number in range(UNITS):
            yield UnitDraft({"number": number}, (), 1, 1)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        number = payload["number"]
        harm = tree.read("harm").decode() if number == 3 else ""
        if harm == "kill":  # as the kernel does when memory is short, and as a decoder that crashes
            os.kill(os.getpid(), signal.SIGKILL)
        if harm == "allocate":
            resource.setrlimit(resource.RLIMIT_AS, (8 << 30, resource.RLIM_INFINITY))
            bytearray(64 << 30)
        text = f"Line {number} of a corpus with one bad unit."
        yield {"id": str(number), "where": "harm", "text": text, "title": None, "url": None, "lang": None}
