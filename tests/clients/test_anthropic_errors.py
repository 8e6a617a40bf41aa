"""The anthropic SDK's error classes: by status, with code, words and id, and never tried again for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import pytest
from server import Server

from app.standin import Failure, Reply, StandIn, Text

from .scenario import ANSWER, Refusal, refusals
from .test_anthropic import create, streamed

CLASSES = {
    400: anthropic.BadRequestError,
    401: anthropic.AuthenticationError,
    429: anthropic.RateLimitError,
    529: anthropic.OverloadedError,
}
SECRET = "laptop-" + "s" * 30


@pytest.fixture
def client(server: Server) -> Iterator[anthropic.Anthropic]:
    """A client as anybody makes it: two retries."""
    with anthropic.Anthropic(base_url=server.url, api_key="not-needed") as client:
        yield client


@pytest.mark.parametrize("name", ["logged out", "plan limit", "too long"])
def test_refusal(client: anthropic.Anthropic, server: Server, standin: StandIn, name: str, *, stream: bool) -> None:
    """A refusal is the exception of its status, with its code and words, and is not tried again."""
    refusal: Refusal = refusals()[name]
    standin.reply = lambda _: refusal.failure
    with pytest.raises(CLASSES[refusal.status]) as raised:
        streamed(client) if stream else create(client)
    assert (raised.value.status_code, raised.value.error_code) == (refusal.status, refusal.code)
    assert all(words in raised.value.api_message for words in refusal.words)
    assert raised.value.request_id.startswith("req_")
    assert len(standin.messages) == 1
    standin.reply = lambda _: Reply((Text("Yes."),))
    create(client)  # the next test finds the login good again


def test_overloaded(client: anthropic.Anthropic, standin: StandIn) -> None:
    """An overload is Anthropic's own, once the CLI has given up."""
    standin.reply = lambda _: Failure.overloaded()
    with pytest.raises(anthropic.OverloadedError) as raised:
        create(client)
    assert (raised.value.status_code, raised.value.type) == (529, "overloaded_error")


def test_bad_request(client: anthropic.Anthropic) -> None:
    """A field that cannot be is named; tools that Anthropic runs are refused by name where they are forced."""
    tools: list[Any] = [{"type": "code_execution_20250825", "name": "code_execution"}]
    with pytest.raises(anthropic.BadRequestError, match="'code_execution', which this server does not run") as raised:
        create(client, tools=tools, tool_choice={"type": "tool", "name": "code_execution"})
    assert raised.value.type == "invalid_request_error"


def test_broken_off(client: anthropic.Anthropic, standin: StandIn) -> None:
    """An answer that breaks off after a part of it was sent is an error, not a shorter answer."""
    standin.reply = lambda _: Reply((Text(["One ", "two ", "three."], pause=0.15),), cut_after=2)
    with pytest.raises(anthropic.APIStatusError) as raised:
        streamed(client)
    assert raised.value.error_code == "answer_cut"


def test_keys(serve: Callable[..., Server], standin: StandIn) -> None:
    """Where there are keys, the SDK's x-api-key is the one asked for."""
    server = serve(CLAUDE_PROXY_API_KEYS=f"laptop:{SECRET}")
    with anthropic.Anthropic(base_url=server.url, api_key=SECRET) as client:
        assert create(client).content[0].text == ANSWER
    with anthropic.Anthropic(base_url=server.url, api_key="wrong") as client:
        with pytest.raises(anthropic.AuthenticationError) as raised:
            create(client)
        assert (raised.value.type, raised.value.error_code) == ("authentication_error", "invalid_api_key")
