"""The capture of the current request, where captures are kept: it begins with the body and ends with the record."""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Generator, Iterable

import flask

from app.backend import Tap
from app.captures.capture import Capture
from app.captures.redaction import NAME
from app.web.state import record, state

HEADER = "x-proxy-captured"
# Of all other headers the length is kept.
SHOWN = frozenset(
    """
    accept accept-encoding anthropic-beta anthropic-version connection content-encoding content-length content-type
    expect openai-beta openai-processing-ms retry-after transfer-encoding user-agent x-proxy-billing x-proxy-count
    x-proxy-demo x-proxy-fallback x-proxy-served x-proxy-show x-proxy-tools x-should-retry
    """.split()
)
SHOWN_KINDS = ("x-stainless-", "x-ratelimit-")


def begin(body: bytes) -> None:
    """Begin the capture of the current request, whose body this is."""
    captures = state().captures
    if not captures.keep:
        return
    sent = flask.request.headers
    headers = [_shown(name.lower(), value) for name, value in sent.items()]
    secrets = [secret for name, value in sent.items() if NAME.search(name) for secret in _credentials(value)]
    flask.g.capture = capture = captures.begin(record(), headers, secrets)
    capture.add("body", body)


def tap() -> Tap | None:
    """Return what takes in the lines of the current request's turns, if anything does."""
    capture = _current()
    return None if capture is None else capture.tap


def follow(response: flask.Response) -> flask.Response:
    """Take in the response of the current request, as it is sent, and say in its head that this is so."""
    capture = _current()
    if capture is None:
        return response
    response.headers[HEADER] = "1"
    capture.answered = dict(_shown(name.lower(), value) for name, value in response.headers.items())
    if response.is_streamed:
        response.response = _copied(response.iter_encoded(), capture)
    else:
        capture.add("sent", response.get_data())
    return response


def _current() -> Capture | None:
    capture: Capture | None = flask.g.get("capture")
    return capture


def _copied(chunks: Iterable[bytes], capture: Capture) -> Generator[bytes]:
    with contextlib.ExitStack() as scope:
        if (close := getattr(chunks, "close", None)) is not None:
            scope.callback(close)
        for chunk in chunks:
            capture.add("sent", chunk)
            yield chunk


def _shown(name: str, value: str) -> tuple[str, str]:
    return name, value if name in SHOWN or name.startswith(SHOWN_KINDS) else f"<{len(value)} characters>"


def _credentials(value: str) -> list[str]:
    """Return the forms in which a header's credential might stand elsewhere."""
    token = value.partition(" ")[2].strip()
    found = [value, token]
    with contextlib.suppress(binascii.Error, UnicodeError):
        found += base64.b64decode(token, validate=True).decode().split(":", 1)[1:]  # of a name and a password
    return found
