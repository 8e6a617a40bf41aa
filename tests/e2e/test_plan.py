"""A plan that is used up: remembered until its reset, with the real CLI against the stand-in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from server import Server, until

from app.standin import Failure, Reply, StandIn, Text, plan_headers

HOUR = 3600


@pytest.fixture(scope="module")
def session_remembering(session_serve: Callable[..., Server]) -> Iterator[Server]:
    server = session_serve(CLAUDE_PROXY_LIMIT_PROBE="600", CLAUDE_PROXY_KEEP="0", LOG_LEVEL="DEBUG")
    yield server
    server.kill()


@pytest.fixture
def remembering(session_remembering: Server, standin: StandIn) -> Server:
    """A server that remembers limits as users' servers do, for tests that leave none."""
    del standin  # as new
    session_remembering.wait_for_spare()
    return session_remembering


def answer(_: object) -> Reply:
    return Reply((Text("Hello."),))


def test_remembered(serve: Callable[..., Server], standin: StandIn) -> None:
    """One family's window closes that family, the plan's closes all: with the same error, without a process."""
    server = serve(CLAUDE_PROXY_LIMIT_PROBE="600", CLAUDE_PROXY_KEEP="0")
    reset = int(time.time()) + HOUR
    standin.reply = lambda body: (
        Failure.plan_limit(reset, "seven_day_opus") if "opus" in body["model"] else answer(body)
    )
    assert server.chat("Hi", model="opus")[0] == 429
    assert server.chat("Hi", model="sonnet")[0] == 200
    assert server.chat("Hi", model="claude-opus-4-6")[0] == 429
    assert len(standin.messages) == 2

    standin.reply = lambda _: Failure.plan_limit(reset)
    first = server.chat("Hi")
    server.wait_for_spare()
    before = server.get("/ready")[1]
    second = server.chat("Hi", stream=True, model="haiku", n=2)
    assert (first[0], second[0]) == (429, 429)
    assert first[2] == second[2]
    assert HOUR - 60 < int(second[1]["retry-after"]) <= int(first[1]["retry-after"]) <= HOUR
    assert second[1]["x-should-retry"] == "false"
    assert len(standin.messages) == 3
    status, ready = server.get("/ready")
    assert (status, ready["status"], ready["reason"]) == (200, "ready", None)
    assert {(limit["window"], limit["models"], limit["resets_at"]) for limit in ready["plan"]["limits"]} == {
        ("seven_day_opus", "opus", reset),
        ("five_hour", "all", reset),
    }
    assert "usage limit" in ready["limited"]
    assert ready["processes"]["started"] == before["processes"]["started"]


def test_reset(remembering: Server, standin: StandIn) -> None:
    """After the reset the next request is asked as ever, and nothing is called used up any longer."""
    standin.reply = lambda _: Failure.plan_limit(int(time.time()) + 2)
    assert remembering.chat("Hi")[0] == 429
    standin.reply = answer
    until(lambda: remembering.chat("Hi")[0] == 200, 20, "reset")
    assert remembering.get("/ready")[1]["limited"] is None


def test_windows(remembering: Server, standin: StandIn) -> None:
    """What an answer says of the plan is in /ready: used percent, reset and status of each window."""
    reset = int(time.time()) + HOUR
    standin.reply = lambda _: Reply((Text("Hello."),), headers=plan_headers("allowed_warning", resets_at=reset))
    assert remembering.chat("Hi")[0] == 200
    windows = remembering.get("/ready")[1]["plan"]["windows"]
    five, seven = windows["five_hour"], windows["seven_day"]
    assert (five["used_percent"], five["resets_at"], five["status"]) == (93.0, reset, "allowed_warning")
    assert (seven["used_percent"], seven["status"]) == (41.0, "allowed")
    assert time.time() - 30 < five["seen_at"] <= time.time()


def test_usage_is_asked_of_a_spare(remembering: Server, standin: StandIn) -> None:
    """Looking at /ready has a waiting process asked for the plan; that costs no request, and the process is as good."""
    # The first look may have come before any process was ready; the next has it asked.
    until(lambda: remembering.get("/ready")[0] == 200 and "usage asked" in remembering.log, 15, "question")
    assert standin.requests == []
    remembering.wait_for_spare()
    status, headers, _ = remembering.chat("Hi")
    assert (status, headers["x-proxy-served"]) == (200, "spare")
