"""A local Ray that is killed, or hangs while it starts: Ray asks after its control store for a minute, in pages of its own log.

Nothing can be done without it, neither work nor an orderly end. So the process ends here at once, with one line, and what is
left of its Ray ends with it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from omni_ray.errors import FALLS_SHORT
from omni_ray.pipeline.processes import identity
from omni_ray.progress.reporter import stop_showing

_PAUSE_S = 0.25


@contextmanager
def watched(find: Callable[[], Mapping[int, str]], kill: Callable[[], object]) -> Iterator[None]:
    """Watch the processes that the local Ray of this process cannot work without, for the length of the block.

    Args:
        find: what these processes are called, by their ids, as far as they are there yet, or died and nobody took note.
        kill: ends the processes of this Ray.
    """
    is_over = threading.Event()
    seen = dict(find())

    def look() -> None:
        while not is_over.wait(_PAUSE_S):
            for pid, name in seen.items():
                if not identity(pid) and not is_over.is_set():
                    _end(f"Ray was killed ({name}); run the same command again to go on", kill, FALLS_SHORT)
            if len(seen) < 2:
                seen.update(find())

    with _beside(look, is_over):
        yield


@contextmanager
def bounded(seconds: float, sentence: str, kill: Callable[[], object], exit_code: int) -> Iterator[None]:
    """End this process, with a sentence, where the block is not over in time: Ray's own waits are long, and add up.

    Args:
        kill: ends what the block has started.
    """
    is_over = threading.Event()

    def look() -> None:
        if not is_over.wait(seconds):
            _end(sentence, kill, exit_code)

    with _beside(look, is_over):
        yield


@contextmanager
def _beside(look: Callable[[], None], is_over: threading.Event) -> Iterator[None]:
    thread = threading.Thread(target=look, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _end(sentence: str, kill: Callable[[], object], exit_code: int) -> None:
    stop_showing()
    os.write(2, f"omni-ray: {sentence}\n".encode())
    kill()
    os._exit(exit_code)
