"""The only way from a command to a stream: no foreign text reaches a terminal or a log as control sequences."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from omni_ray.visible import visible, visible_lines

if TYPE_CHECKING:
    from omni_ray.results import Report


def show(report: Report, as_json: bool) -> None:
    """What became of a command: its lines, and on standard error what falls short; or one JSON value."""
    if as_json:
        print_json(report.as_json())
        return
    if lines := report.lines():
        echo_lines("\n".join(lines))
    for complaint in report.complaints:
        echo_lines(complaint, err=True)


def print_json(value: Any) -> None:
    """One JSON value on standard output."""
    echo_lines(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def echo(text: object = "", *, err: bool = False) -> None:
    """One line on standard output, or standard error."""
    echo_lines(visible(text), err=err)


def echo_lines(text: str, *, err: bool = False) -> None:
    """Lines that were put together from safe parts, such as a table."""
    _write(f"{visible_lines(text)}\n", err=err)


def echo_piece(text: str) -> None:
    """A piece of somebody else's output, as it comes."""
    _write(visible_lines(text))


def _write(text: str, *, err: bool = False) -> None:
    stream = sys.stderr if err else sys.stdout
    # A stream of another encoding cannot write every script.
    stream.write(text.encode(stream.encoding or "utf-8", "backslashreplace").decode(stream.encoding or "utf-8"))
    stream.flush()
