"""Running hostile input through the whole of a unit's work, in a process of its own whose memory is measured."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.hostile.treatment import answer

FORKED = multiprocessing.get_context("forkserver")
"""Children of a process that has imported what they need, and done nothing."""
FORKED.set_forkserver_preload(
    ["omni_ray.pipeline.stages", "omni_ray.corpora.locate", "PIL.Image", "soundfile", "pyarrow.parquet"]
)


@dataclass
class Outcome:
    """What came of a source.

    Attributes:
        error: the one sentence with which all of it was refused, or "".
        records: input records by outcome: in, kept, quarantined.
        reasons: quarantined records by reason code.
        refused: members of archives that were left out for safety.
        mib: how far the peak of memory rose above that of a harmless source, in MiB.
    """

    mib: float
    error: str = ""
    records: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    refused: int = 0


Treat = Callable[..., Outcome]


@pytest.fixture
def treat(tmp_path: Path) -> Treat:
    """``treat("audio", "audio_files", source)``; ``warm`` is a harmless source of the same kind, run before."""

    def run(kind: str, name: str, source: Path, warm: Path | None = None) -> Outcome:
        ours, theirs = FORKED.Pipe(duplex=False)
        child = FORKED.Process(target=answer, args=(theirs, kind, name, source, warm, tmp_path / "out"))
        child.start()
        theirs.close()
        with ours:
            outcome = Outcome(**ours.recv())  # EOFError where it died
        child.join()
        child.close()
        assert "\n" not in outcome.error
        if outcome.records:
            assert outcome.records["in"] == outcome.records["kept"] + outcome.records["quarantined"]
        return outcome

    return run
