"""What every test may use."""

from __future__ import annotations

import gc
import os
import pickle
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.testing
from hypothesis import settings

from omni_ray.pipeline import session

# Whether a local Ray is private Ray reads when it is imported, which any test may do before one that starts it.
session._local_environment()
# A busy machine is not a bug: no test depends on the clock. CI always tries the same examples; people try others.
settings.register_profile("calm", deadline=None, derandomize=bool(os.environ.get("CI")), print_blob=True)
settings.register_profile("quick", settings.get_profile("calm"), max_examples=10)
settings.load_profile("calm")

# Collected tests are hundreds of thousands of objects, and none of them is garbage.
gc.set_threshold(100_000, 50, 100)

CORPORA = Path(__file__).resolve().with_name("data")
SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What starts a Ray, or makes whole corpora, is slow. Files with slow tests come first, so that of two workers none is left with a long one."""
    for item in items:
        if {"ray_here", "native"} & {*getattr(item, "fixturenames", ())}:
            item.add_marker(pytest.mark.slow)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


def pytest_collection_finish() -> None:
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def nothing_waits_for_the_disk() -> Iterator[None]:
    """What is synced here is read before any power fails, and waiting for it is most of the time of a small test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        patch.setattr(os, "sync", lambda: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def commands_are_made_once() -> Iterator[None]:
    """``CliRunner.invoke`` makes all commands from their functions anew, which takes longer than most of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(autouse=True)
def interrupts_as_before() -> Iterator[None]:
    """A test leaves Ctrl-C to pytest: a handler of a command that stays would end the whole run at the next one."""
    before = signal.getsignal(signal.SIGINT)
    yield
    left = signal.signal(signal.SIGINT, before)
    assert left == before, f"the test left {left} for Ctrl-C"


@pytest.fixture(scope="session")
def corpora() -> Path:
    """Every corpus in its native layout, a megabyte in all; their README says where they are from."""
    return CORPORA


@pytest.fixture(scope="session")
def all_corpora() -> list[Path]:
    """What is in the repository, and the larger set of the same layouts where it lies beside the checkout."""
    return [path for path in (CORPORA, SHARED / "data") if path.is_dir()]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The larger set: what was counted in it by hand is skipped where it is absent."""
    path = SHARED / "data"
    if not path.is_dir():
        pytest.skip("more real corpora (../shared/data) are not here")
    return path


@contextmanager
def without_ray() -> Iterator[None]:
    """What would be tasks of Ray runs in this process, one after the other: for tests of what is made, not of how.

    Everything on this side of Ray stays as it is: items are pickled, results counted, errors said in one sentence.
    """
    from omni_ray.api import cluster
    from omni_ray.pipeline import drivers, engine, session

    def pipeline(stage: Any, items: Any, shape: Any) -> Iterator[list[tuple[int, Any]]]:
        for number, item in items:
            yield [(number, stage(pickle.loads(item)))]

    with pytest.MonkeyPatch.context() as patch:
        for module in (session, cluster):  # a session that is there is used
            patch.setattr(module, "is_connected", lambda: True)
        patch.setattr(drivers, "shared", lambda *given: None)
        patch.setattr(engine, "pipeline", pipeline)
        yield


@pytest.fixture
def no_ray() -> Iterator[None]:
    """No Ray for one test."""
    with without_ray():
        yield


@pytest.fixture(scope="module")
def no_ray_here() -> Iterator[None]:
    """No Ray for all tests of a module, and what they share."""
    with without_ray():
        yield
