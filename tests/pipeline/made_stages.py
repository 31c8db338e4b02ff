"""Stages and functions for the tests of the engine, where workers can import them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from omni_ray.errors import FALLS_SHORT, SourceError
from omni_ray.pipeline.engine import Stage


def twice(number: int) -> int:
    return 2 * number


def refuse(number: int) -> int:
    if number == 5:
        raise SourceError("the source is gone; bring it back", exit_code=FALLS_SHORT)
    if number == 50:
        raise ValueError("no such thing\nat all")
    return number


class Killing(Stage[int, tuple[int, str]]):
    """Notes what it makes in a folder, and dies over some items while a file for them is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, item: int) -> tuple[int, str]:
        fuse = self._folder / f"fuse-{item}"
        if fuse.exists():
            fuse.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        with open(self._folder / f"made-{item}", "a") as file:
            file.write(".")
        return item, "made"

    def made(self, item: int) -> tuple[int, str] | None:
        return (item, "found") if (self._folder / f"made-{item}").exists() else None

    def make_apart(self, item: int) -> tuple[int, str]:
        self.make(item)
        return item, "apart"


class KillingDrivers(Killing):
    """Kills a sub-driver instead."""

    def make(self, item: int) -> tuple[int, str]:
        fuse = self._folder / f"fuse-{item}"
        if fuse.exists():
            fuse.unlink()
            os.kill(siblings("ray::_drive")[0], signal.SIGKILL)
        return super().make(item)


def siblings(title: str) -> list[int]:
    """Processes of that title that the same raylet started as this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getppid() and (process / "cmdline").read_bytes().startswith(title.encode()):
                found.append(int(process.name))
    return found
