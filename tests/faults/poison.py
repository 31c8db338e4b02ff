"""A corpus of lines, one of which does to its worker what the file ``harm`` says; for the tests of dying workers."""

import os
import resource
import signal
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora import Corpus, SourceOptions, UnitDraft
from omni_ray.modalities.text import Text
from omni_ray.sources.tree import Tree

UNITS, LINES = 6, 3
_transform = Text.transform


def _die(*given: Any) -> Any:
    """A transform that one line ends, as a decoder that crashes."""
    if "poison" in given[1]["text"].to_pylist():
        os.kill(os.getpid(), signal.SIGSEGV)
    return _transform(*given)


class Poison(Corpus):
    """Six units of three lines each; the fourth has the bad one."""

    name = "poison"
    modality = "text"
    title = licence = homepage = size = layout = "made up"
    in_all = False

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        for number in range(UNITS):
            yield UnitDraft({"number": number}, (), LINES, LINES)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        for line in range(LINES):
            text = f"Line {line} of unit {payload['number']}."
            if (payload["number"], line) == (3, 1):
                text = harm(tree.read("harm").decode()) or text
            yield {"id": f"{payload['number']}-{line}", "where": "harm", "text": text}


def harm(how: str) -> str:
    """Do it; returns what the line says then."""
    if how == "kill":  # as the kernel does when memory is short
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "allocate":
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, resource.RLIM_INFINITY))
        bytearray(64 << 30)
    if how == "wait":
        signal.pause()
    if how == "decode":
        Text.transform = _die  # type: ignore[assignment]
        return "poison"
    return ""
