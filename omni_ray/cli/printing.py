"""The only way from a command to a stream: nothing in foreign text reaches a terminal or a log as a command to it."""

from __future__ import annotations

import sys

from omni_ray.visible import visible, visible_lines


def echo(text: object = "", *, err: bool = False) -> None:
    """One line on standard output, or standard error."""
    echo_lines(visible(text), err=err)


def echo_lines(text: str, *, err: bool = False) -> None:
    """Lines that were put together of safe parts, such as a table."""
    _write(f"{visible_lines(text)}\n", err=err)


def echo_piece(text: str) -> None:
    """A piece of somebody else's output, as it comes."""
    _write(visible_lines(text))


def _write(text: str, *, err: bool = False) -> None:
    stream = sys.stderr if err else sys.stdout
    # A stream of another encoding cannot write every script.
    stream.write(text.encode(stream.encoding or "utf-8", "backslashreplace").decode(stream.encoding or "utf-8"))
    stream.flush()
