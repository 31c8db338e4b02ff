"""Whether a cluster answers: Ray tries for minutes before it says that none does, with a page of its own log."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from omni_ray.errors import OmniError

_PATIENCE_S = 5.0
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS = 1, 4
_OK = 0x88
"""Status 200 in HTTP/2's table: what every gRPC server answers, whatever it thinks of the call."""
_RESIZE = range(0x20, 0x40)
"""Bytes that may come before it, and only set the size of a table."""


def require_reachable(address: str) -> None:
    """Make sure that something that may be a Ray answers at a cluster's address.

    Raises:
        OmniError: nothing does within some seconds, or something else.
    """
    if address == "auto" or ("://" in address and not address.startswith("ray://")):
        return
    parts = urlsplit(address if "://" in address else f"ray://{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise OmniError(f"--address {address}: give host:port of the cluster's head, or ray://host:port")
    try:
        with socket.create_connection((host, port), _PATIENCE_S) as connection:
            if os.environ.get("RAY_USE_TLS", "0") in {"", "0"} and not _speaks_grpc(connection, f"{host}:{port}"):
                raise OmniError(
                    f"Ray at {address} cannot be reached (something else answers there, or nothing at all); check the port: "
                    "a cluster's own is 6379 unless it was started with another"
                )
    except OSError as error:
        why = str(error.strerror or error).lower()
        raise OmniError(
            f"Ray at {address} cannot be reached ({why}); check the address, and that the cluster is up"
        ) from error


def answers(host: str, port: int) -> bool:
    """Whether something that speaks gRPC answers there within some seconds."""
    with suppress(OSError), socket.create_connection((host, port), _PATIENCE_S) as connection:
        return _speaks_grpc(connection, f"{host}:{port}")
    return False


def _speaks_grpc(connection: socket.socket, authority: str) -> bool:
    """Whether a call, of a health check, is answered as gRPC does; that it is refused is answer enough."""
    headers = b"\x83\x86" + b"".join(
        [
            b"\x04" + _counted("/grpc.health.v1.Health/Check"),
            b"\x01" + _counted(authority[:100]),
            b"\x00" + _counted("content-type") + _counted("application/grpc"),
            b"\x00" + _counted("te") + _counted("trailers"),
        ]
    )
    connection.sendall(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + _frame(_SETTINGS, 0, 0, b"")
        + _frame(_HEADERS, _END_HEADERS, 1, headers)
        + _frame(_DATA, _END_STREAM, 1, bytes(5))
    )
    with suppress(OSError, EOFError):
        for kind, data in _frames(connection):
            if kind == _HEADERS:
                return next((byte for byte in data if byte not in _RESIZE), 0) == _OK
    return False


def _counted(text: str) -> bytes:
    """A string as HTTP/2's headers have it; of at most 126 bytes."""
    return bytes([len(text)]) + text.encode()


def _frame(kind: int, flags: int, stream: int, data: bytes) -> bytes:
    return len(data).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + data


def _frames(connection: socket.socket) -> Iterator[tuple[int, bytes]]:
    """Kind and data of the frames that come."""
    while True:
        head = _exactly(connection, 9)
        yield head[3], _exactly(connection, int.from_bytes(head[:3], "big"))


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data
