"""Reading a request's body: JSON in bytes, within bounds."""

from __future__ import annotations

import flask

from app.errors import UnsupportedMediaType

# curl -d names a form; what it sends is JSON all the same, and the parser has the last word.
REFUSED = ("multipart/", "image/", "audio/", "video/")


def read() -> bytes:
    """Return the body of the current request.

    Raises UnsupportedMediaType for what cannot be JSON; Werkzeug raises 413 beyond MAX_CONTENT_LENGTH.
    """
    request = flask.request
    if request.mimetype.startswith(REFUSED):
        raise UnsupportedMediaType(f"The request body must be application/json, not {request.mimetype}.")
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        raise UnsupportedMediaType(f"Content-Encoding {encoding!r} is not supported; send the body as it is.")
    return request.get_data(cache=False)
