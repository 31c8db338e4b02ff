"""Ctrl-C and SIGTERM: the first ends the command and all it started; the next ones do not disturb it while it ends.

Imports next to nothing: until it is loaded, Python itself handles interrupts.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXIT_CODE = 130
SENTENCE = "interrupted; run the same command again to go on"
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_PATIENCE_S = 10.0
"""How long an interrupted command may take to end; what is left of it then is killed."""


@contextmanager
def at_once() -> Iterator[None]:
    """For the whole of a process: until a command begins, and after it ended, an interrupt ends the process with a line.

    There is nothing to tidy up then: imports take a moment at the beginning. Python's own end, which takes apart object by
    object what they made, is left out.
    """
    for each in _SIGNALS:
        signal.signal(each, _end)
    try:
        yield
    except SystemExit as ended:
        with suppress(OSError):  # what cannot be written is Python's to report
            sys.stdout.flush()
            if isinstance(code := ended.code or 0, int):
                os._exit(code)
        raise


@contextmanager
def in_order(kill: Callable[[], object]) -> Iterator[None]:
    """Within the block, in the main thread, the first interrupt raises KeyboardInterrupt, and the next ones do nothing.

    Args:
        kill: ends what the process has started; called where the block does not end on its own soon after an interrupt.
    """
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    is_over = threading.Event()

    def wait() -> None:
        if not is_over.wait(_PATIENCE_S):
            kill()
            _end()

    def interrupt(*_: object) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        threading.Thread(target=wait, daemon=True).start()
        raise KeyboardInterrupt

    before = [signal.signal(each, interrupt) for each in _SIGNALS]
    try:
        yield
    finally:
        is_over.set()
        if signal.getsignal(_SIGNALS[0]) is interrupt:  # else the process is about to end
            for each, handler in zip(_SIGNALS, before, strict=True):
                signal.signal(each, handler)


@contextmanager
def held_back() -> Iterator[None]:
    """Within the block an interrupt waits for its end: an import that is left half done fails in odd ways, and late."""
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = [signal.signal(each, lambda number, _: came.append(number)) for each in _SIGNALS]
    try:
        yield
    finally:
        for each, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(each, handler)
    if came:
        signal.raise_signal(came[0])


def _end(*_: object) -> None:
    os.write(2, f"omni-ray: {SENTENCE}\n".encode())
    os._exit(EXIT_CODE)
