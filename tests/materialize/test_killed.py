"""What a combine that was killed leaves, and what media that went missing cost."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from omni_ray.materialize.combine import combine
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from tests.faults.harness import leftovers, tree_digest
from tests.made_store import audio_row, commit

KILLED = """
import os, signal, sys
from types import SimpleNamespace
from omni_ray.materialize import media
from omni_ray.materialize.combine import combine
from omni_ray.pipeline.store import Store
from omni_ray.pipeline.engine import inline

written = []
def replace(old, new):
    written.append(new)
    if len(written) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    os.rename(old, new)
media.os = SimpleNamespace(**{**vars(os), "replace": replace})
combine(Store(sys.argv[1]), "audio", run=inline)
"""


def test_a_kill_between_writing_and_naming_a_clip_leaves_nothing_after_the_rerun(tmp_path: Path) -> None:
    for root in (tmp_path / "killed", tmp_path / "undisturbed"):
        commit(root, "audio", "made", [[audio_row(n) for n in range(4)], [audio_row(4)]])
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "killed")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert leftovers(tmp_path / "killed")
    for root in (tmp_path / "killed", tmp_path / "undisturbed"):
        combine(Store(root), "audio", run=inline)
        assert leftovers(root) == []
    assert tree_digest(tmp_path / "killed") == tree_digest(tmp_path / "undisturbed")


def test_media_that_were_removed_come_back_with_the_file_that_names_them(tmp_path: Path) -> None:
    commit(tmp_path, "audio", "made", [[audio_row(n) for n in range(4)], [audio_row(4)]])
    combine(Store(tmp_path), "audio", run=inline)
    before = tree_digest(tmp_path)
    next((tmp_path / "data/audio/made").rglob("*.flac")).unlink()
    (tmp_path / "data/audio/production_asr.csv").unlink()
    combine(Store(tmp_path), "audio", run=inline)
    assert tree_digest(tmp_path) == before
