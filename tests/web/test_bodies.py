"""A body is read as it is, if it can be JSON and is not too large."""

from __future__ import annotations

import flask
import pytest
import werkzeug.exceptions

from app.errors import UnsupportedMediaType
from app.records.record import RequestRecord
from app.web.bodies import Bodies
from app.web.connections import Connections


def read(data=b"{}", limit=None, **environ):
    app = flask.Flask("bodies")
    app.config["MAX_CONTENT_LENGTH"] = limit
    with app.test_request_context("/", method="POST", data=data, **environ):
        return Bodies(2**20).read(RequestRecord("/"), Connections())


@pytest.mark.parametrize(
    "kind",
    [None, "application/json", "application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded"],
)
def test_types(kind):
    """JSON is taken under any name that clients give it, `curl -d`'s too, byte for byte."""
    assert read(b'{"a": "b&c=%20"}', content_type=kind) == b'{"a": "b&c=%20"}'


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "image/png", "audio/wav", "VIDEO/mp4"])
def test_other_types(kind):
    """What cannot be JSON is refused."""
    with pytest.raises(UnsupportedMediaType):
        read(content_type=kind)


@pytest.mark.parametrize(
    ("encoding", "taken"), [("identity", True), ("Identity", True), ("gzip", False), ("br", False)]
)
def test_encodings(encoding, taken):
    """A compressed body is refused, not taken for broken JSON."""
    if taken:
        assert read(headers={"Content-Encoding": encoding}) == b"{}"
    else:
        with pytest.raises(UnsupportedMediaType, match=encoding):
            read(headers={"Content-Encoding": encoding})


def test_limit():
    """A body of the limit's size is taken, a larger one is not."""
    assert len(read(b"x" * 100, limit=100)) == 100
    with pytest.raises(werkzeug.exceptions.RequestEntityTooLarge):
        read(b"x" * 101, limit=100)


def test_empty():
    """No body is an empty one; the parser has the last word."""
    assert read(b"") == b""
