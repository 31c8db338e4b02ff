"""A local Ray that is killed: Ray asks after its control store for a minute, in pages of its own log, and ends the process.

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
    """Look after the processes without which the local Ray of this process is nothing, for the length of the block.

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
                    stop_showing()
                    os.write(2, f"omni-ray: Ray was killed ({name}); run the same command again to go on\n".encode())
                    kill()
                    os._exit(FALLS_SHORT)
            if len(seen) < 2:
                seen.update(find())

    thread = threading.Thread(target=look, name="watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
