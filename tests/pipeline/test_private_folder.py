"""What Ray keeps in files, sockets above all, is its user's alone, and does not outlive the run by long."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from omni_ray.errors import OmniError
from omni_ray.pipeline import private_folder as folders
from omni_ray.pipeline.private_folder import mark_of, private_folder

NOBODY = 65534
HOLD = """
import sys
from omni_ray.pipeline.private_folder import private_folder
with private_folder("somebody") as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


def as_nobody(do: Callable[[], object]) -> bool:
    """Whether another user of this machine can do something, without an OSError."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            do()
            os._exit(0)
        except OSError:
            os._exit(1)
        finally:
            os._exit(2)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, 1}
    return code == 0


@pytest.fixture
def open_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A temporary folder that other users can reach; pytest's own are private already."""
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setattr(folders.tempfile, "tempdir", "/tmp")


@pytest.mark.usefixtures("ray_here")
def test_another_user_reaches_nothing_of_a_running_ray() -> None:
    import ray

    session = Path(ray._private.worker.global_worker.node.get_session_dir_path())
    assert stat.S_IMODE(session.parents[1].stat().st_mode) == 0o700
    assert as_nobody(lambda: os.listdir("/tmp"))
    for path in (session, session / "sockets" / "raylet", session / "logs", session.parents[1] / "driver"):
        assert path.exists()
        assert not as_nobody(partial(os.lstat, path)) and not as_nobody(partial(os.rename, path, f"{path}.old"))
    assert not as_nobody(lambda: (session / "planted").symlink_to("/etc/passwd"))


@pytest.mark.usefixtures("open_place")
def test_it_is_gone_when_the_run_ends_and_when_it_was_killed() -> None:
    with private_folder("me") as folder:
        outer = folder.parent
        assert mark_of(folder) == "me"
        assert not as_nobody(lambda: os.listdir(outer))
        assert not as_nobody(lambda: os.rename(outer, f"{outer}-taken"))
        (folder / "session").mkdir(parents=True)
        (folder / "session" / "log").write_text("what Ray says")
    assert not outer.exists()
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    killed = Path(process.stdout.readline().strip()).parent
    with private_folder("me"):
        assert killed.is_dir()  # it is at work
    process.kill()
    process.communicate()
    with private_folder("me"):
        assert not killed.exists()


@pytest.mark.usefixtures("open_place")
def test_a_folder_whose_maker_is_about_to_mark_it_stays() -> None:
    outer = folders._make()
    with private_folder("me"):
        assert outer.is_dir()
    os.utime(outer, (0, 0))
    with private_folder("me"):
        assert not outer.exists()


def test_a_mark_is_no_link_and_no_pipe(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    for make in (lambda path: path.symlink_to(tmp_path / "secret"), os.mkfifo, os.mkdir):
        outer = tmp_path / make.__name__.strip("<>")
        outer.mkdir()
        make(outer / "driver")
        assert mark_of(outer / "r") == ""
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "driver").write_text("x")
    assert mark_of(tmp_path / "given" / "r") == "x"
    if os.geteuid() == 0:
        os.chown(tmp_path / "given" / "driver", NOBODY, NOBODY)
        assert mark_of(tmp_path / "given" / "r") == ""


def test_a_place_where_others_could_put_a_folder_of_theirs_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    (shared / "deep").mkdir(parents=True)
    for place in (shared, shared / "deep"):  # what is above decides as well
        assert folders._is_safe(place)
    shared.chmod(0o777)
    for place in (shared, shared / "deep"):
        assert not folders._is_safe(place)
    shared.chmod(0o1777)
    assert folders._is_safe(shared)
    if os.geteuid() == 0:
        os.chown(shared, NOBODY, NOBODY)
        assert not folders._is_safe(shared / "deep")
    monkeypatch.setattr(folders, "_places", lambda: [shared])
    shared.chmod(0o777)
    with pytest.raises(OmniError, match="no safe place"), private_folder("me"):
        pass


def test_a_temporary_folder_with_a_long_path_leaves_room_for_the_names_of_sockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("x" * 80)
    long.mkdir()
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setattr(folders.tempfile, "tempdir", str(long))
    with private_folder("me") as folder:
        assert long not in folder.parents
        assert len(os.fsencode(folder)) + len("/session_2026-01-31_12-00-00_123456_4194304/sockets/plasma_store") <= 107
