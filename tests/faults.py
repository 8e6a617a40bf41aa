"""What a client is told of a fault, and whether the server is whole after it."""

from __future__ import annotations

import contextlib
import socket
from typing import Any, NamedTuple

from server import Server, text_of, until


class Told(NamedTuple):
    """Status, error code (None where there is no error) and the text that was given."""

    status: int
    code: str | None
    text: str


def told(answer: tuple[int, Any, Any]) -> Told:
    """Return what an answer of `Server.chat` says; a stream must end with its error, or else with its mark."""
    status, _, body = answer
    if isinstance(body, list):
        last = body[-1]
        assert "[DONE]" not in body[:-1]
        return Told(status, None if last == "[DONE]" else last["error"]["code"], text_of(body[:-1]))
    if "error" in body:
        return Told(status, body["error"]["code"], "")
    return Told(status, None, body["choices"][0]["message"]["content"])


def assert_whole(server: Server, seconds: float = 15.0) -> None:
    """No slot is taken, no process lives that should not, and the next request is answered."""
    until(server.is_whole, seconds, "a whole server")
    assert server.chat("hello")[0] == 200
    until(server.is_whole, seconds, "a whole server")


def cut_off(connection: socket.socket) -> bytes:
    """Return what comes until the connection ends, in whatever way."""
    parts = []
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(65536):
            parts.append(data)
    return b"".join(parts)
