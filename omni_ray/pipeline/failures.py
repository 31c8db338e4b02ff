"""What went wrong in a worker, as one sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from omni_ray.errors import DISK_FULL, FALLS_SHORT, OmniError, is_mendable, missing_package, of_system
from omni_ray.pipeline.session import RETRIES

_LACKING = re.compile(r"No module named '([^']+)'")
_NAMED = re.compile(r"^([\w.]*(?:Error|Exception|Interrupt)): (.+)$", re.MULTILINE)
_DEAD = {"WorkerCrashedError", "NodeDiedError", "LocalRayletDiedError", "ObjectLostError", "OwnerDiedError"}
_LIGHTER = "run the same command again to go on, with a smaller --cpus if memory is short"


class InWorker(Exception):
    """Where in a worker an error came from, as text, for those who asked for more."""


@contextmanager
def as_one_line() -> Iterator[None]:
    """Ray wraps what went wrong several times over; the user gets the sentence inside."""
    import ray.exceptions

    try:
        yield
    except OmniError as error:
        if isinstance(error, ray.exceptions.RayTaskError):
            raise in_one_line(error) from error
        raise
    except (ray.exceptions.RayError, RuntimeError, OSError, MemoryError) as error:
        raise in_one_line(error) from error


def in_one_line(error: BaseException, where: str = "") -> OmniError:
    """An error as a sentence of ours.

    Args:
        where: what a worker was at, such as `` at unit 3 of books``.
    """
    from ray.exceptions import RayTaskError

    chain = _chain(error)
    for each in chain:
        # One that Ray has wrapped is ours as well, but prints the tracebacks of all processes it came through.
        if isinstance(each, OmniError) and not isinstance(each, RayTaskError):
            return each
    for each in chain:
        if isinstance(each, ModuleNotFoundError) and each.name:
            return OmniError(missing_package(each.name))
        if isinstance(each, OSError) and is_mendable(each):
            return of_system(each)
    return _by_name(error, chain, where)


def _chain(error: BaseException) -> list[BaseException]:
    """An error and all that led to it."""
    chain: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is None or each in chain:
            continue
        chain.append(each)
        todo += [getattr(each, "cause", None), each.__cause__, each.__context__]
    return chain


def _by_name(error: BaseException, chain: list[BaseException], where: str) -> OmniError:
    """By what the errors are called: what a worker raised may have become text on its way, and the first one named in
    it is the cause.
    """
    named = [match.groups() for match in _NAMED.finditer(str(error))]
    for kind, text in named:
        if kind.startswith("omni_ray.errors."):
            return OmniError(text)
        if kind.endswith("ModuleNotFoundError") and (module := _LACKING.search(text)):
            return OmniError(missing_package(module[1]))
        if "No space left on device" in text:
            return OmniError(DISK_FULL)
        if "Read-only file system" in text or "Permission denied" in text:
            return OmniError(
                f"a worker cannot write its output ({text}); fix its permissions, or choose another --root"
            )
    names = {kind.rpartition(".")[2] for kind, _ in named} | {type(each).__name__ for each in chain}
    if names & {"MemoryError", "OutOfMemoryError", "ArrowMemoryError"}:
        return OmniError(f"a worker ran out of memory{where}; {_LIGHTER}", exit_code=FALLS_SHORT)
    if names & _DEAD:
        return OmniError(
            f"workers died {RETRIES + 1} times over the same task, out of memory or in a library that crashed, or Ray "
            f"itself was killed; {_LIGHTER}",
            exit_code=FALLS_SHORT,
        )
    kind, text = named[0] if named else (type(error).__name__, str(error).partition("\n")[0])
    return OmniError(
        f"a worker failed{where}: {kind}: {text}; what is committed stays. Where the same command fails again, -v shows "
        "where it comes from",
        exit_code=FALLS_SHORT,
    )
