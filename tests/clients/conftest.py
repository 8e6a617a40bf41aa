"""Fixtures for the client libraries: refusals that are counted, and a network that ends at loopback."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from server import Server

from app.standin import StandIn

from . import scenario

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class _Frontier:
    """What this process tried to reach beyond loopback while `watching`; an audit hook cannot be taken away again."""

    def __init__(self) -> None:
        self.watching = False
        self.crossed: list[str] = []

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.watching or event not in {"socket.connect", "socket.getaddrinfo"}:
            return
        address = args[1] if event == "socket.connect" else args
        host = address[0] if isinstance(address, tuple) else "localhost"
        if host not in LOOPBACK:
            self.crossed.append(str(host))
            raise ConnectionRefusedError(f"{host} is not loopback")


_frontier = _Frontier()
sys.addaudithook(_frontier)


@pytest.fixture
def server(keeping_server: Server) -> Server:
    """The server as users have it."""
    return keeping_server


@pytest.fixture(autouse=True)
def loopback_only() -> Iterator[None]:
    """Fail the test whose client library talks to anybody but the server: price lists, encodings, telemetry."""
    _frontier.watching = True
    _frontier.crossed.clear()
    yield
    _frontier.watching = False
    assert _frontier.crossed == []


@pytest.fixture(params=["logged out", "plan limit", "too long"])
def refused(request: pytest.FixtureRequest, server: Server, standin: StandIn) -> Iterator[scenario.Refusal]:
    """Refuse every request, one way a test; the client's own retries must not have repeated it."""
    refusal = scenario.refusals()[request.param]
    reply, standin.reply = standin.reply, lambda _: refusal.failure
    before = _chats(server)
    yield refusal
    assert len(standin.messages) == 1
    assert _chats(server) == before + 1
    standin.reply = reply
    assert server.chat("Hi")[0] == 200  # the next test finds the login good again


def _chats(server: Server) -> int:
    return len(re.findall(r"POST /(?:v1/(?:chat/completions|responses|messages)|api/chat) status=", server.log))


@pytest.fixture
def tool_round(standin: StandIn) -> Iterator[Callable[[str], str]]:
    """Have the API call a tool twice; afterwards it must have seen native blocks. The value is the tool itself."""
    standin.reply = scenario.two_calls_then_text
    yield scenario.WEATHER.__getitem__
    scenario.assert_native_round(standin)


@pytest.fixture
def structured(standin: StandIn) -> Iterator[None]:
    """Have the API answer with the address, for which it must have been asked by its schema."""
    standin.reply = scenario.structured
    yield
    (body,) = standin.messages
    schemas = [tool["input_schema"] for tool in body["tools"] if tool["name"] == "StructuredOutput"]
    assert [sorted(schema["properties"]) for schema in schemas] == [["number", "street"]]
