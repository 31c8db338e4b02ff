"""Whether the user asked to be told more: ``-v``, or ``OMNI_RAY_VERBOSE=1`` for jobs and scripts.

Told more means: a line for every commit, Ray's own log lines, and the traceback behind an error's one line.
"""

from __future__ import annotations

import os

_VARIABLE = "OMNI_RAY_VERBOSE"


def is_verbose() -> bool:
    """Whether to say more."""
    return os.environ.get(_VARIABLE, "") not in {"", "0"}


def be_verbose() -> None:
    """Say more from now on, in this process and in those it starts."""
    os.environ[_VARIABLE] = "1"
