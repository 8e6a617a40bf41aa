"""A model that is overloaded, or whose window is closed: another one answers, and everybody is told."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from server import Server, until

from app.standin import Failure, Reply, StandIn, Text, ToolUse

CONFIG = """
spares = 0
keep = 0

[models.sonnet]
fallback = ["opus", "haiku"]

[agents.notes]
model = "sonnet"
workspace = "notes"
tools = ["Read"]
keys = "anyone"
fallback = ["haiku"]

[agents.firm]
model = "sonnet"
keys = "anyone"
fallback = []
"""
CHAT = "/v1/chat/completions"
ROUTES = {
    CHAT: {"messages": [{"role": "user", "content": "Hi"}]},
    "/v1/messages": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 99},
    "/v1/responses": {"input": "Hi"},
}


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration with fallbacks, and a note that an agent may read."""
    folder = tmp_path_factory.mktemp("operator")
    (folder / "notes").mkdir()
    (folder / "notes" / "plan.txt").write_text("sow in March")
    (folder / "config.toml").write_text(CONFIG)
    (folder / "config.toml").chmod(0o600)
    return folder / "config.toml"


@pytest.fixture(scope="module")
def session_falling(session_serve: Callable[..., Server], configured: Path) -> Iterator[Server]:
    server = session_serve(CLAUDE_PROXY_CONFIG=str(configured), CLAUDE_CODE_MAX_RETRIES="0")
    yield server
    server.kill()


@pytest.fixture
def falling(session_falling: Server, standin: StandIn) -> Server:
    """A server with the configuration above."""
    del standin  # as new
    return session_falling


def failing(failure: Failure, *families: str) -> Callable[[dict[str, Any]], Reply | Failure]:
    """Return an API that fails so for some families of models, and answers for the others."""

    def reply(body: dict[str, Any]) -> Reply | Failure:
        return failure if any(family in body["model"] for family in families) else Reply((Text("Hello."),))

    return reply


def asked(standin: StandIn) -> list[str]:
    """Return the families of the models that the API was asked for, one after the other, without repetitions."""
    families = [body["model"].split("-")[1] for body in standin.messages]
    return [family for place, family in enumerate(families) if families[place - 1 : place] != [family]]


@pytest.mark.parametrize(("path", "stream"), [(CHAT, False), *((path, True) for path in ROUTES)])
def test_overloaded(falling: Server, standin: StandIn, path: str, *, stream: bool) -> None:
    """Each model is tried in its order; the one that answers is in the answer's model, the header, log and history."""
    standin.reply = failing(Failure.overloaded(), "sonnet", "opus")
    status, headers, data = falling.request("POST", path, {"model": "sonnet", "stream": stream, **ROUTES[path]})
    assert (status, headers.get("x-proxy-fallback")) == (200, "sonnet -> haiku"), data
    assert asked(standin) == ["sonnet", "opus", "haiku"]
    assert b"Hello." in data
    text = data.decode()
    assert '"model":"claude-haiku' in text
    assert '"model":"claude-sonnet' not in text
    lines = falling.log.splitlines()
    assert any("model=sonnet error=overloaded falls_back_to=opus" in line for line in lines)
    assert any("model=opus error=overloaded falls_back_to=haiku" in line for line in lines)
    assert any(headers["x-request-id"] in line and " instead_of=sonnet " in line for line in lines)
    until(falling.is_whole, what="slots and processes")


def test_all_overloaded(falling: Server, standin: StandIn, *, stream: bool) -> None:
    """Where none answers, the client gets the error of the model that it asked for, and no header."""
    standin.reply = failing(Failure.overloaded(), "sonnet", "opus", "haiku")
    status, headers, error = falling.chat("Hi", stream=stream)
    assert (status, error["error"]["code"], headers.get("x-proxy-fallback")) == (503, "overloaded", None)
    assert asked(standin) == ["sonnet", "opus", "haiku"]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (Failure.server_error(), "overloaded"),
        (Failure(429, "rate_limit_error", "Too many requests", {"x-should-retry": "false"}), "rate_limit_exceeded"),
        (Failure.prompt_too_long(210_000, 200_000), "context_length_exceeded"),
    ],
    ids=["500", "429 without a window", "too long"],
)
def test_other_errors(falling: Server, standin: StandIn, failure: Failure, code: str) -> None:
    """No other error is another model's to mend."""
    standin.reply = failing(failure, "sonnet")
    status, headers, error = falling.chat("Hi", stream=True)
    assert (status >= 400, error["error"]["code"], headers.get("x-proxy-fallback")) == (True, code, None)
    assert asked(standin) == ["sonnet"]


def test_failure_of_the_fallback(falling: Server, standin: StandIn) -> None:
    """What goes wrong with the fallback itself is in the log; the client is told of the model that it asked for."""

    def reply(body: dict[str, Any]) -> Failure:
        return Failure.overloaded() if "sonnet" in body["model"] else Failure.prompt_too_long(210_000, 200_000)

    standin.reply = reply
    status, _, error = falling.chat("Hi")
    assert (status, error["error"]["code"]) == (503, "overloaded")
    assert "model=opus error=context_length_exceeded" in falling.log


def test_agents(falling: Server, standin: StandIn) -> None:
    """An agent's row comes before its model's, also where it says that nothing else may answer."""
    standin.reply = failing(Failure.overloaded(), "sonnet")
    status, headers, answer = falling.chat("Hi", model="notes")
    assert (status, headers["x-proxy-fallback"], answer["model"][:12]) == (200, "sonnet -> haiku", "claude-haiku")
    assert falling.chat("Hi", model="firm")[0] == 503


def test_never_after_a_tool(falling: Server, standin: StandIn) -> None:
    """An agent that has run a tool is not begun anew by another model."""

    def reply(body: dict[str, Any]) -> Reply | Failure:
        seen = any(
            isinstance(m["content"], list) and m["content"][0]["type"] == "tool_result" for m in body["messages"]
        )
        return Failure.overloaded() if seen else Reply((ToolUse("Read", {"file_path": "plan.txt"}),))

    standin.reply = reply
    status, headers, error = falling.chat("What is planned?", model="notes")
    assert (status, error["error"]["code"], headers.get("x-proxy-fallback")) == (503, "overloaded", None)
    assert asked(standin) == ["sonnet"]


def test_several_answers(falling: Server, standin: StandIn) -> None:
    """Several answers to one request come from one model, or none."""
    standin.reply = failing(Failure.overloaded(), "sonnet")
    assert falling.chat("Hi", n=2)[0] == 503
    assert asked(standin) == ["sonnet"]


def test_client_that_leaves(falling: Server, standin: StandIn) -> None:
    """A client that leaves while the fallback is asked ends it."""

    def reply(body: dict[str, Any]) -> Reply | Failure:
        return Failure.overloaded() if "sonnet" in body["model"] else Reply((Text("Late."),), delay=50)

    standin.reply = reply
    connection = falling.connect()
    question = {"model": "sonnet", "messages": [{"role": "user", "content": "Hi"}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(question), {"Content-Type": "application/json"})
    until(lambda: asked(standin)[-1:] == ["opus"], 20, "fallback")
    connection.close()
    until(falling.is_whole, 20, "slots and processes")
    assert asked(standin) == ["sonnet", "opus"]


def test_ledger(falling: Server, standin: StandIn) -> None:
    """A request that fell back is one turn in the ledger: of the model that answered, with that one's tokens alone."""
    standin.reply = failing(Failure.overloaded(), "sonnet", "opus")
    status, headers, answer = falling.chat("Hi")
    assert status == 200
    request, found = headers["x-request-id"], []

    def written() -> bool:
        with contextlib.closing(sqlite3.connect(falling.state / "usage.db")) as db, contextlib.suppress(sqlite3.Error):
            query = "SELECT asked, model, code, requests, output_tokens, unpriced FROM turns WHERE request = ?"
            found[:] = db.execute(query, (request,)).fetchall()
        return bool(found)

    until(written, 10, "ledger")
    assert found == [("sonnet", answer["model"], "", 1, answer["usage"]["completion_tokens"], 0)]


def test_closed_window(serve: Callable[..., Server], standin: StandIn, configured: Path) -> None:
    """A family's closed window is asked no second time; where the whole plan is used up, nothing else is asked."""
    server = serve(CLAUDE_PROXY_CONFIG=str(configured), CLAUDE_PROXY_LIMIT_PROBE="600")
    reset = int(time.time()) + 3600
    standin.reply = failing(Failure.plan_limit(reset, "seven_day_sonnet"), "sonnet")
    for stream in (False, True):
        status, headers, answer = server.chat("Hi", stream=stream)
        assert (status, headers["x-proxy-fallback"]) == (200, "sonnet -> opus")
        assert {part["model"][:11] for part in (answer[:-1] if stream else [answer])} == {"claude-opus"}
    assert asked(standin) == ["sonnet", "opus"]
    assert server.chat("Hi", n=2)[1]["x-proxy-fallback"] == "sonnet -> opus"

    standin.reply = lambda _: Failure.plan_limit(reset)
    before = len(standin.messages)
    status, headers, error = server.chat("Hi", model="sonnet")
    assert (status, error["error"]["code"], headers.get("x-proxy-fallback")) == (429, "rate_limit_exceeded", None)
    assert len(standin.messages) == before + 1
