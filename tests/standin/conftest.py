"""A running stand-in, and the plainest client there is."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
import urllib.parse

import pytest

from app.standin import Reply, StandIn, Text

HEADERS = {"authorization": "Bearer dummy", "content-type": "application/json"}


@pytest.fixture
def standin():
    """Give a stand-in that answers "one two three" in three deltas."""
    with StandIn(reply=lambda body: Reply((Text(["one ", "two ", "three"]),))) as server:
        yield server


@pytest.fixture
def connect(standin):
    """Give a function that opens a connection to the stand-in; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def opened():
            connection = http.client.HTTPConnection(urllib.parse.urlsplit(standin.url).netloc, timeout=10)
            return stack.enter_context(contextlib.closing(connection))

        yield opened


@pytest.fixture
def post(connect):
    """Give a function that posts a body to /v1/messages and returns the response, unread."""

    def posted(body, headers=HEADERS, path="/v1/messages?beta=true"):
        connection = connect()
        connection.request("POST", path, json.dumps(body) if not isinstance(body, bytes) else body, headers)
        return connection.getresponse()

    return posted


@pytest.fixture
def body():
    """Give a small request for a stream."""
    return {
        "model": "claude-sonnet-5-5",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
    }


@pytest.fixture
def events():
    """Give a function that reads a response to its end and returns the data of its events."""

    def parsed(response):
        return [json.loads(line[6:]) for line in response.read().decode().splitlines() if line.startswith("data: ")]

    return parsed


@pytest.fixture
def eventually():
    """Give a function that waits, three seconds at most, until a condition holds."""

    def waited(condition):
        end = time.monotonic() + 3
        while not condition() and time.monotonic() < end:
            time.sleep(0.005)
        return condition()

    return waited
