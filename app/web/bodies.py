"""Reading a request's body: JSON in bytes, within bounds."""

from __future__ import annotations

import collections
import contextlib
import functools
import time
from collections.abc import Mapping
from typing import Any

import flask
import werkzeug.exceptions

from app.errors import BadRequest, BodiesFull, ProxyError, RequestTimeout, UnsupportedMediaType
from app.event_loop import PIECE_LENGTH, SLICE_SECONDS, pause, pause_in_line
from app.records.record import RequestRecord
from app.web import disconnects
from app.web.connections import Connections

# `curl -d` says that it sends a form, but sends JSON; so the parser decides, not the header.
REFUSED = ("multipart/", "image/", "audio/", "video/")
# How much of a refused body is taken in after the answer: bytes, seconds in all, seconds of silence.
MAX_DISCARDED_BYTES = 64 * 2**20
DISCARD_SECONDS = 5.0
DISCARD_SILENCE_SECONDS = 1.0
# The least that is read at once, in bytes.
MIN_STEP_BYTES = 4096
# As many of the largest bodies as may be held at a time.
MAX_LARGEST = 6
# A request that holds no more than this, in bytes, is never refused: a few large ones shut nobody out.
SMALL_BYTES = 64 * 1024
RETRY_AFTER_SECONDS = 2


class Bodies:
    """Reads bodies, and counts the bytes that each request holds until it ends.

    All together are bounded, since what is made of a body takes several times as much memory.
    """

    def __init__(self, largest: int) -> None:
        self._limit = MAX_LARGEST * largest
        self._held: collections.Counter[str] = collections.Counter()
        self._bytes = 0

    def read(self, record: RequestRecord, connections: Connections) -> bytes:
        """Return the body of the current request.

        Raises UnsupportedMediaType for what cannot be JSON, Werkzeug's 413 beyond MAX_CONTENT_LENGTH, RequestTimeout
        where the client stops sending, ConnectionsTaken where its connection was needed for others meanwhile,
        BodiesFull where others hold too much, and BadRequest where what it sends is no body of HTTP.
        """
        request = flask.request
        if request.mimetype.startswith(REFUSED):
            raise UnsupportedMediaType(f"The request body must be application/json, not {request.mimetype}.")
        encoding = request.headers.get("Content-Encoding") or "identity"
        if encoding.lower() != "identity":
            raise UnsupportedMediaType(f"Content-Encoding {encoding!r} is not supported; send the body as it is.")
        record.on_end(functools.partial(self._release, record.id))
        try:
            body = self._taken_in(request, record.id)
        finally:
            connections.received(request.environ)
            # Many clients that leave at once are many errors to be told at once.
            pause_in_line()
        # Werkzeug silently cuts a body of unknown length at the limit.
        if request.content_length is None and len(body) >= (request.max_content_length or len(body) + 1):
            raise werkzeug.exceptions.RequestEntityTooLarge
        return body

    def _taken_in(self, request: flask.Request, request_id: str) -> bytes:
        parts: list[bytes] = []
        step = MIN_STEP_BYTES
        try:
            while True:
                began = time.monotonic()
                part = request.stream.read(step)
                if not part:
                    return b"".join(parts)
                self._hold(request_id, len(part))
                parts.append(part)
                # The server takes long to put together a body that comes in tiny chunks.
                quick = time.monotonic() - began < SLICE_SECONDS / 2
                step = min(2 * step, PIECE_LENGTH) if quick else max(step // 2, MIN_STEP_BYTES)
                pause_in_line()
        except ProxyError:
            raise
        except werkzeug.exceptions.ClientDisconnected as error:
            if isinstance(error.__context__, TimeoutError):
                raise RequestTimeout("The rest of the request's body did not come in time.") from None
            raise
        except werkzeug.exceptions.HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - each server has its own for chunks that are none; the client is at fault
            raise BadRequest(f"The request's body could not be read: {error}.") from None

    def _hold(self, request_id: str, number: int) -> None:
        self._bytes += number
        self._held[request_id] += number
        if self._held[request_id] > SMALL_BYTES and self._bytes > self._limit:
            raise BodiesFull(
                "The requests that are being answered hold as many bytes as this server takes at a time.",
                retry_after=RETRY_AFTER_SECONDS,
            )

    def _release(self, request_id: str) -> None:
        self._bytes -= self._held.pop(request_id, 0)


def discard(environ: Mapping[str, Any]) -> None:
    """Take in, within bounds, what a client is still sending after its answer.

    The system resets a connection that is closed with unread input. The client would see the reset, not our answer.
    """
    if not environ.get("wsgi.input_terminated"):
        return  # nobody knows where the body ends, or how much of it was read
    connection = disconnects.connection_of(environ)
    if connection is None:
        return
    deadline = time.monotonic() + DISCARD_SECONDS
    size = 0
    # The client may be gone, or its body may be malformed: there is nobody to tell.
    with contextlib.suppress(Exception):
        connection.settimeout(DISCARD_SILENCE_SECONDS)
        while (
            size < MAX_DISCARDED_BYTES and time.monotonic() < deadline and (data := environ["wsgi.input"].read(2**14))
        ):
            size += len(data)
            pause()
