"""Lines of the text corpus, of a byte range and as the trainers see them."""

from __future__ import annotations

from omni_ray.errors import OmniError

MAX_LINE_BYTES = 100_000
"""SentencePiece's max_sentence_length: longer lines take no part in training a tokenizer."""
RANGE_BYTES = 16 << 20
"""The size of a range that one task looks at."""
_BLOCK = 1 << 20
_MAX_READ_BYTES = 64 << 20


def lines_in(path: str, start: int, end: int, margin: int) -> tuple[bytes, bool]:
    """The lines that begin in ``[start, end)`` of a file, and whether the last of them is whole.

    Args:
        start, end: in bytes. Adjacent ranges have every line once.
        margin: bytes beyond ``end`` that are read to see the last line to its end.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        if start:
            # A line begins at ``start`` only if the byte before it ends one.
            file.seek(start - 1)
            while (piece := file.readline(_BLOCK)) and not piece.endswith(b"\n"):
                if file.tell() >= end:
                    return b"", True
        position = file.tell()
        if position >= end:
            return b"", True
        data = file.read(end - position)
        if data.endswith(b"\n"):
            return data, True
        rest = file.readline(margin)
        return data + rest, len(rest) < margin or rest.endswith(b"\n")


def read_lines(path: str, start: int, end: int) -> bytes:
    """The lines that begin in ``[start, end)`` of a file.

    Raises OmniError for a line of more than 64 MiB, OSError where the file cannot be read.
    """
    data, is_whole = lines_in(path, start, end, _MAX_READ_BYTES)
    if not is_whole:
        raise OmniError(f"{path}: the line at byte {end:,} is over 64 MiB long; this is not a corpus of lines")
    return data


def split_lines(data: bytes) -> list[str]:
    """Lines as the trainers see them: LF, CR and CRLF end one, undecodable bytes vanish."""
    text = data.decode("utf-8", "ignore")
    if "\r" in text:  # only now: bytes that vanished may have separated a CR and an LF
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    return lines
