"""Extra usage with the real CLI: the stand-in's headers say that something beyond the plan pays."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from server import CONFIG, GUNICORN, Server, until

from app.standin import Failure, Reply, StandIn, Text, ToolUse, plan_headers

HOUR = 3600
ROUTES = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hi"}]},
    "/v1/responses": {"input": "Hi"},
    "/v1/messages": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 64},
}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def beyond(reset: int, window: str = "five_hour") -> Reply:
    headers = plan_headers("rejected", utilization=1.0, resets_at=reset, window=window, overage="allowed")
    return Reply((Text("Hello."),), headers=headers)


def within() -> Reply:
    return Reply((Text("Hello."),), headers=plan_headers("allowed", utilization=0.2))


def ask(server: Server, path: str = "/v1/chat/completions", **fields: Any) -> tuple[int, dict[str, str], bytes]:
    return server.request("POST", path, {"model": "sonnet", **ROUTES[path], **fields})


@pytest.mark.parametrize("path", ROUTES)
def test_refused_in_every_dialect(serve: Callable[..., Server], standin: StandIn, path: str, stream: bool) -> None:
    """After one answer that was billed beyond the plan all others are refused until the plan's reset, unasked."""
    server = serve()
    reset = int(time.time()) + HOUR
    standin.reply = lambda _: beyond(reset)
    status, headers, _ = ask(server, path, stream=stream)
    assert status == 200
    # A stream's headers may be gone when the API says who pays.
    assert headers.get("x-proxy-billing") in ((None, "extra") if stream else ("extra",))
    asked = len(standin.messages)
    status, headers, body = ask(server, path, stream=stream)
    assert (status, len(standin.messages)) == (429, asked)
    assert HOUR - 60 < int(headers["retry-after"]) <= HOUR
    assert headers["x-should-retry"] == "false"
    told = json.loads(body)["error"]
    assert told["type"] == "rate_limit_error"
    if path != "/v1/messages":  # Anthropic's envelope has no code
        assert told["code"] == "extra_usage"
    assert "billed as extra usage" in told["message"]
    ready = server.get("/ready")[1]
    assert ready["paid_by"] == "extra usage"
    assert [(extra["window"], extra["models"], extra["until"]) for extra in ready["plan"]["extra"]] == [
        ("five_hour", "all", reset)
    ]
    metrics = server.request("GET", "/metrics")[2].decode()
    assert 'claude_proxy_plan_extra_usage{window="five_hour"} 1.0' in metrics
    assert 'claude_proxy_extra_usage_requests_total{key="",model="claude-sonnet-' in metrics
    assert 'code="extra_usage"' in metrics
    assert "an answer was billed beyond the plan" in server.log
    assert "billing=extra" in server.log


@pytest.mark.parametrize("mode", ["warn", "allow"])
def test_answered_and_marked(serve: Callable[..., Server], standin: StandIn, mode: str) -> None:
    """Where extra usage is allowed, answers go on and say who pays: streams too, as soon as it is known."""
    server = serve(CLAUDE_PROXY_EXTRA_USAGE=mode)
    assert server.get("/ready")[1]["paid_by"] == "plan"
    standin.reply = lambda _: within()
    assert "x-proxy-billing" not in ask(server)[1]
    standin.reply = lambda _: beyond(int(time.time()) + HOUR)
    for streams in (False, True, False):
        status, headers, _ = ask(server, stream=streams)
        assert (status, headers["x-proxy-billing"]) == (200, "extra")
    ready = server.get("/ready")[1]
    assert (ready["paid_by"], ready["plan"]["refuses_extra"]) == ("extra usage", False)
    assert ("billed beyond the plan" in server.log) == (mode == "warn")
    standin.reply = lambda _: within()
    ask(server)
    assert server.get("/ready")[1]["paid_by"] == "plan"


def test_one_family(serve: Callable[..., Server], standin: StandIn) -> None:
    """Where one family's window is used up, the other models go on: the plan pays for them."""
    server = serve()
    reset = int(time.time()) + HOUR
    standin.reply = lambda body: beyond(reset, "seven_day_opus") if "opus" in body["model"] else within()
    assert ask(server, model="opus")[0] == 200
    assert ask(server, model="claude-opus-4-6")[0] == 429
    status, headers, _ = ask(server, model="sonnet")
    assert (status, headers.get("x-proxy-billing")) == (200, None)
    assert ask(server, model="opus")[0] == 429


def test_after_the_reset(serve: Callable[..., Server], standin: StandIn) -> None:
    """After the plan's reset requests are answered as ever."""
    server = serve()
    standin.reply = lambda _: beyond(int(time.time()) + 3)
    assert ask(server)[0] == 200
    assert ask(server)[0] == 429
    standin.reply = lambda _: within()
    until(lambda: ask(server)[0] == 200, 20, "reset")
    assert server.get("/ready")[1]["paid_by"] == "plan"


def test_calls(serve: Callable[..., Server], standin: StandIn) -> None:
    """An answer that ends with a call is guarded like any other: its results are not sent on."""
    server = serve()
    reset = int(time.time()) + HOUR
    headers = beyond(reset).headers
    standin.reply = lambda _: Reply((ToolUse("look", {}),), headers=headers)
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Look."}]
    status, _, body = ask(server, messages=messages, tools=[TOOL])
    call = json.loads(body)["choices"][0]["message"]
    assert (status, call["tool_calls"][0]["function"]["name"]) == (200, "look")
    messages += [call, {"role": "tool", "tool_call_id": call["tool_calls"][0]["id"], "content": "Seen."}]
    asked = len(standin.messages)
    time.sleep(0.5)  # the CLI says who pays some 30 ms after the call; a client's tool takes longer
    status, _, body = ask(server, messages=messages, tools=[TOOL])
    assert (status, json.loads(body)["error"]["code"], len(standin.messages)) == (429, "extra_usage", asked)
    assert ask(server)[0] == 429


def test_restart_and_resume(serve: Callable[..., Server], standin: StandIn, tmp_path: Path) -> None:
    """A restart changes nothing; an operator's word on the page lets requests through until the reset, marked."""
    state = str(tmp_path / "state")
    reset = int(time.time()) + HOUR
    standin.reply = lambda _: beyond(reset)
    first = serve(CLAUDE_PROXY_STATE_DIR=state)
    assert ask(first)[0] == 200
    first.stop()
    server = serve(CLAUDE_PROXY_STATE_DIR=state)
    assert ask(server)[0] == 429
    page = server.request("GET", "/")[2].decode()
    assert "requests are refused, until" in page
    assert '<p id="resuming">' in page
    assert server.request("POST", "/resume", headers={"Origin": "https://evil.example"})[0] == 403
    assert ask(server)[0] == 429
    status, _, body = server.request("POST", "/resume", headers={"Origin": server.url})
    assert (status, len(json.loads(body)["accepted"])) == (200, 1)
    status, headers, _ = ask(server)
    assert (status, headers["x-proxy-billing"]) == (200, "extra")
    assert '<p id="resuming" hidden>' in server.request("GET", "/")[2].decode()
    server.stop()
    again = serve(CLAUDE_PROXY_STATE_DIR=state)
    assert ask(again)[0] == 200


def test_resuming_is_for_admins(serve: Callable[..., Server]) -> None:
    """Where there are keys, one that sees only its own figures may not decide what is paid for."""
    server = serve(
        CLAUDE_PROXY_API_KEYS="phone:phone-secret-0123456789,mine:mine-secret-0123456789",
        CLAUDE_PROXY_ADMIN_KEYS="mine",
    )
    for secret, expected in (("phone", 403), ("mine", 200)):
        headers = {"Authorization": f"Bearer {secret}-secret-0123456789"}
        assert server.request("POST", "/resume", headers=headers)[0] == expected
    assert server.request("POST", "/resume")[0] == 401


def test_two_workers(serve: Callable[..., Server], standin: StandIn) -> None:
    """What one worker learns holds for the other at once."""
    server = serve((*GUNICORN, *CONFIG, "--workers", "2", "wsgi:app"))
    standin.reply = lambda _: beyond(int(time.time()) + HOUR)
    assert ask(server)[0] == 200
    asked = len(standin.messages)
    assert {ask(server)[0] for _ in range(12)} == {429}
    assert len(standin.messages) == asked


def test_no_extra_usage(serve: Callable[..., Server], standin: StandIn) -> None:
    """A plan that is used up and has no extra usage is that, and nothing was billed."""
    server = serve(CLAUDE_PROXY_LIMIT_PROBE="600")
    reset = int(time.time()) + HOUR
    refusals = itertools.count()
    standin.reply = lambda _: (next(refusals), Failure.plan_limit(reset))[1]
    for _ in range(2):
        status, _, body = ask(server)
        assert (status, json.loads(body)["error"]["code"]) == (429, "rate_limit_exceeded")
    assert next(refusals) == 1
    assert server.get("/ready")[1]["paid_by"] == "plan"


@pytest.mark.parametrize(
    ("given", "payer", "said"),
    [
        ({"ANTHROPIC_API_KEY": "sk-ant-dummy"}, "api key", "Billed to an API key, not to a plan"),
        ({"CLAUDE_CODE_USE_BEDROCK": "1"}, "Bedrock", "Billed by Bedrock"),
    ],
)
def test_who_pays(serve: Callable[..., Server], given: dict[str, str], payer: str, said: str) -> None:
    """What the operator hands to claude may make another pay than the plan: it is said everywhere, and not refused."""
    passed = "ANTHROPIC_BASE_URL,CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC,CLAUDE_CODE_MAX_RETRIES"
    server = serve(CLAUDE_PROXY_PASS_ENV=",".join((passed, *given)), **given)
    assert server.get("/ready")[1]["paid_by"] == payer
    assert f'<p id="payer">{said}</p>' in server.request("GET", "/")[2].decode()
    if payer == "api key":
        assert ask(server)[0] == 200
        assert server.get("/ready")[1]["paid_by"] == payer
