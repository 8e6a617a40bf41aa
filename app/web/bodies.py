"""Reading a request's body: JSON in bytes, within bounds."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

import flask
import werkzeug.exceptions

from app.errors import BadRequest, ProxyError, RequestTimeout, UnsupportedMediaType
from app.event_loop import PIECE, SLICE, pause
from app.web import disconnects
from app.web.state import state

# curl -d names a form; what it sends is JSON all the same, and the parser has the last word.
REFUSED = ("multipart/", "image/", "audio/", "video/")
# How much of a refused body is taken in after the answer: bytes, seconds in all, seconds of silence.
MAX_DISCARDED = 64 * 2**20
DISCARD_SECONDS = 5.0
DISCARD_SILENCE_SECONDS = 1.0
# The least that is read at once, in bytes.
SMALLEST_STEP = 4096


def read() -> bytes:
    """Return the body of the current request.

    Raises UnsupportedMediaType for what cannot be JSON, Werkzeug's 413 beyond MAX_CONTENT_LENGTH, RequestTimeout where
    the client stops sending, ConnectionsTaken where its connection was needed for others meanwhile, BodiesFull where
    others hold too much, and BadRequest where what it sends is no body of HTTP.
    """
    request = flask.request
    if request.mimetype.startswith(REFUSED):
        raise UnsupportedMediaType(f"The request body must be application/json, not {request.mimetype}.")
    encoding = request.headers.get("Content-Encoding") or "identity"
    if encoding.lower() != "identity":
        raise UnsupportedMediaType(f"Content-Encoding {encoding!r} is not supported; send the body as it is.")
    try:
        body = _taken_in(request)
    finally:
        state().connections.received(request.environ)
    # A body that does not tell its length is cut at the limit in silence.
    if request.content_length is None and len(body) >= (request.max_content_length or len(body) + 1):
        raise werkzeug.exceptions.RequestEntityTooLarge
    return body


def _taken_in(request: flask.Request) -> bytes:
    hold = state().in_flight.hold()
    parts: list[bytes] = []
    step = SMALLEST_STEP
    try:
        while True:
            began = time.monotonic()
            part = request.stream.read(step)
            if not part:
                return b"".join(parts)
            hold(len(part))
            parts.append(part)
            # A body in tiny chunks takes its server long to put together.
            quick = time.monotonic() - began < SLICE / 2
            step = min(2 * step, PIECE) if quick else max(step // 2, SMALLEST_STEP)
            pause()
    except ProxyError:
        raise
    except werkzeug.exceptions.ClientDisconnected as error:
        if isinstance(error.__context__, TimeoutError):
            raise RequestTimeout("The rest of the request's body did not come in time.") from None
        raise
    except werkzeug.exceptions.HTTPException:
        raise
    except Exception as error:  # noqa: BLE001 - each server has its own for chunks that are none; it is the client's fault
        raise BadRequest(f"The request's body could not be read: {error}.") from None


def discard(environ: Mapping[str, Any]) -> None:
    """Take in, within bounds, what a client is still sending after its answer.

    A connection closed with unread input is reset, and the client's error would be that, not what it was told.
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
        while size < MAX_DISCARDED and time.monotonic() < deadline and (data := environ["wsgi.input"].read(2**14)):
            size += len(data)
            pause()
