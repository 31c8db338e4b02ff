"""Who may write to a store: the run that took it last.

A run can lose its store without knowing: its machine is suspended, another run takes over, and the machine wakes in the
middle of a commit. So every run has a number of its own, kept beside the shards while it works. Before it or one of its workers
writes or removes anything there, they check whose number it is. A worker whose run is over, or was
overtaken, is refused; what little time there is between the check and the write is left to the readers, who check shards against
their manifests, and manifests against ``corpus.json``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from omni_ray.errors import FALLS_SHORT, OmniError
from omni_ray.storage import Storage

FOLDER = ".omni"
_RUN = "run"


class Fence:
    """The right to write to a store, of a run and of the workers it is pickled for.

    Args:
        store: the store, not fenced itself. Until :meth:`held` there is nothing to check.
    """

    def __init__(self, store: Storage) -> None:
        self._store = store
        self._place = store.child(FOLDER)
        self._run = ""

    @contextmanager
    def held(self, run: str) -> Iterator[None]:
        """Be the run that may write, for the block; the caller has made sure that no other one lives.

        Args:
            run: a number that no other run has.
        """
        self._place.write(_RUN, run.encode())
        self._run = run
        try:
            yield
        finally:
            self._run = ""
            with suppress(OSError):
                if self._holder() == run:
                    self._place.delete(_RUN)
                    self._place.remove_if_empty()
                    self._store.remove_if_empty()

    def check(self) -> None:
        """Raise OmniError where another run took the store over, or this one ended."""
        if self._run and self._holder() != self._run:
            raise OmniError(
                f"{self._store.shown}: another run took over while this one stood still, which stops without writing "
                "anything more; run the same command again once the other has ended",
                exit_code=FALLS_SHORT,
            )

    def _holder(self) -> str:
        try:
            return self._place.read(_RUN).decode(errors="replace")
        except FileNotFoundError:
            return ""
