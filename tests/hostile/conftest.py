"""Running hostile input through the whole of a unit's work, in a process of its own whose memory is measured."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CODE = """
import json, sys
from collections import Counter
from pathlib import Path
from omni_ray.corpora.base import SourceOptions
from omni_ray.corpora.locate import locate
from omni_ray.corpora.registry import select
from omni_ray.errors import OmniError
from omni_ray.modalities.registry import modality
from omni_ray.pipeline.stages import Job, make_unit
from omni_ray.pipeline.units import number_units
from omni_ray.storage import Storage

def run(kind, name, source, out):
    [corpus], form = select(kind, name), modality(kind)
    found = locate(corpus, out, source, SourceOptions(), cache=out / "index")
    units = number_units(found.drafts, found.tree, {})
    job = Job(name, found.reader, found.tree.spec(), form, form.params_type(), Storage(out / "shards"))
    for unit in units:
        make_unit(job, unit)
    total = {"records": Counter(), "reasons": Counter(), "refused": found.tree.refused.count}
    for path in sorted((out / "shards").glob("*.json")):
        manifest = json.loads(path.read_text())
        total["records"].update(manifest["records"])
        total["reasons"].update(manifest["reasons"])
    return total

def peak():
    # Not getrusage: a child begins with the peak of the process that started it.
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024

kind, name, source, warm, out = sys.argv[1:]
if warm:
    run(kind, name, warm, Path(out) / "warm")
before = peak()
try:
    result = run(kind, name, source, Path(out) / "run")
except OmniError as error:
    result = {"error": str(error)}
print(json.dumps({**result, "mib": peak() - before}))
"""


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
        done = subprocess.run(
            [sys.executable, "-c", CODE, kind, name, str(source), str(warm or ""), str(tmp_path / "out")],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        outcome = Outcome(**json.loads(done.stdout.splitlines()[-1]))
        assert "\n" not in outcome.error
        if outcome.records:
            assert outcome.records["in"] == outcome.records["kept"] + outcome.records["quarantined"]
        return outcome

    return run
