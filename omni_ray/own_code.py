"""Python files of the user's own, run as modules."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from omni_ray.errors import OmniError


def run_as(module: ModuleType, path: str | Path, text: str | bytes) -> None:
    """Run the text of the file ``path`` as ``module``; an import would take an older text from ``__pycache__``.

    Raises:
        OmniError: it does not run.
    """
    module.__file__ = str(path)
    try:
        exec(compile(text, path, "exec"), module.__dict__)
    except OmniError as error:
        raise OmniError(f"{path}: {error}") from None
    except Exception as error:
        raise OmniError(f"{path}: {type(error).__name__}: {error}") from error
