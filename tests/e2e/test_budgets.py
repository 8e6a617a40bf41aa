"""Budgets of keys on a whole server: in each dialect, at once, after a restart."""

from __future__ import annotations

import concurrent.futures
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import FAKE_CLAUDE
from server import CONFIG, GUNICORN, Server

from app.keys.file import KeyFile
from app.keys.terms import Terms
from app.standin import Reply, StandIn, Text, plan_headers

ROUTES = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "answer"}]},
    "/v1/responses": {"input": "answer"},
    "/v1/messages": {"messages": [{"role": "user", "content": "answer"}], "max_tokens": 64},
}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


def asking(server: Server, secret: str) -> Callable[..., tuple[int, dict[str, str], bytes]]:
    def ask(path: str = "/v1/chat/completions", **fields: Any) -> tuple[int, dict[str, str], bytes]:
        body = {"model": "sonnet", **ROUTES[path], **fields}
        return server.request("POST", path, body, {"Authorization": f"Bearer {secret}"}, timeout=55)

    return ask


@pytest.mark.parametrize("path", ROUTES)
def test_used_up(serve: Callable[..., Server], standin: StandIn, state: Path, path: str, stream: bool) -> None:
    """A turn that runs when the budget ends is finished; the next is refused, and after a restart, too."""
    secret = KeyFile(state).add("phone", Terms(tokens_per_day=10))
    server = serve(CLAUDE_PROXY_STATE_DIR=str(state))
    status, headers, _ = asking(server, secret)(path, stream=stream)
    assert (status, headers["x-ratelimit-limit-tokens"], headers["x-ratelimit-remaining-tokens"]) == (200, "10", "10")
    assert asking(server, secret)(path, stream=stream)[0] == 429
    server.stop()  # the ledger is written by then
    again = asking(serve(CLAUDE_PROXY_STATE_DIR=str(state)), secret)
    asked = len(standin.messages)
    status, headers, body = again(path, stream=stream)
    assert (status, len(standin.messages)) == (429, asked)
    told = json.loads(body)["error"]
    assert told["type"] == "rate_limit_error"
    assert "has used its 10 tokens of the day" in told["message"]
    assert 0 < int(headers["retry-after"]) <= 25 * 3600
    assert headers["x-ratelimit-remaining-tokens"] == "0"


def test_fifty_at_once(serve: Callable[..., Server], state: Path) -> None:
    """Of fifty requests at once exactly as many begin as the budget has left, and a restart changes nothing."""
    secret = KeyFile(state).add("phone", Terms(requests_per_day=7))
    given = {"CLAUDE_PROXY_STATE_DIR": str(state), "CLAUDE_BIN": str(FAKE_CLAUDE), "CLAUDE_PROXY_QUEUE_LIMIT": "100"}
    server = serve(**given)
    ask = asking(server, secret)
    with concurrent.futures.ThreadPoolExecutor(50) as crowd:
        answers = list(crowd.map(lambda _: ask(), range(50)))
    assert sorted(status for status, _, _ in answers) == [200] * 7 + [429] * 43
    assert {json.loads(body)["error"]["code"] for status, _, body in answers if status == 429} == {"key_budget"}
    server.stop()
    again = asking(serve(**given), secret)
    status, headers, _ = again()
    assert (status, headers["x-ratelimit-remaining-requests"]) == (429, "0")


def test_models_and_expiry(serve: Callable[..., Server], state: Path) -> None:
    """A key lists and asks the models that it may use, and no others; one that has ended is a 401 that says so."""
    file = KeyFile(state)
    secret = file.add("phone", Terms(models=("haiku",)))
    server = serve(CLAUDE_PROXY_STATE_DIR=str(state), CLAUDE_BIN=str(FAKE_CLAUDE))
    ask = asking(server, secret)
    status, _, body = ask()
    assert (status, json.loads(body)["error"]["code"]) == (403, "model_not_allowed")
    status, _, body = ask("/v1/messages")
    assert (status, json.loads(body)["error"]["type"]) == (403, "permission_error")
    headers = {"Authorization": f"Bearer {secret}"}
    said, prompt = {"messages": [{"role": "user", "content": "answer"}]}, {"prompt": "answer"}
    for path, fields in {
        "/v1/completions": prompt,
        "/v1/messages/count_tokens": said,
        "/v1/responses/input_tokens": {"input": "answer"},
        "/api/chat": said,
        "/api/generate": prompt,
        "/openai/deployments/opus/chat/completions": said,
    }.items():
        assert server.request("POST", path, {"model": "opus", "max_tokens": 9, **fields}, headers)[0] == 403, path
    assert ask(model="haiku")[0] == 200
    listed = [entry["id"] for entry in json.loads(server.request("GET", "/v1/models", None, headers)[2])["data"]]
    assert listed
    assert all("haiku" in name for name in listed)
    assert server.request("GET", "/v1/models/opus", None, headers)[0] == 404
    tags = json.loads(server.request("GET", "/api/tags", None, headers)[2])["models"]
    assert len(tags) == len(listed)
    assert server.request("POST", "/api/show", {"model": "opus"}, headers)[0] == 404
    page = server.request("GET", "/", None, headers)[2]
    assert (b"claude-haiku-4" in page, b"claude-opus-4" in page) == (True, False)
    file.change("phone", {"models": ("claude-sonnet-4",)})
    assert [ask(model=name)[0] for name in ("claude-sonnet-4", "opus", "haiku")] == [200, 403, 403]
    file.change("phone", {"models": ("haiku",)})
    file.change("phone", {"expires": int(time.time()) - 1})
    status, _, body = ask(model="haiku")
    assert (status, json.loads(body)["error"]["code"]) == (401, "key_expired")
    file.change("phone", {"expires": None, "models": ()})
    assert ask()[0] == 200


def test_reserve(serve: Callable[..., Server], standin: StandIn, state: Path) -> None:
    """What is reserved of the plan is for the personal key; the other is told when the window begins anew."""
    file = KeyFile(state)
    bot, mine = file.add("bot"), file.add("mine", Terms(personal=True))
    reset = int(time.time()) + 3600
    headers = plan_headers("allowed_warning", utilization=0.85, resets_at=reset)
    standin.reply = lambda _: Reply((Text("Hello."),), headers=headers)
    server = serve(CLAUDE_PROXY_STATE_DIR=str(state), CLAUDE_PROXY_RESERVE="20%")
    assert asking(server, bot)()[0] == 200
    status, told, body = asking(server, bot)(stream=True)
    assert (status, json.loads(body)["error"]["code"]) == (429, "plan_reserved")
    assert 3500 < int(told["retry-after"]) <= 3600
    assert asking(server, mine)()[0] == 200


def test_two_workers(serve: Callable[..., Server], state: Path) -> None:
    """What a key has used at one worker counts at the other, within a second or two."""
    secret = KeyFile(state).add("phone", Terms(requests_per_day=3))
    argv = (*GUNICORN, *CONFIG, "--workers", "2", "wsgi:app")
    ask = asking(serve(argv, CLAUDE_PROXY_STATE_DIR=str(state), CLAUDE_BIN=str(FAKE_CLAUDE)), secret)
    for _ in range(3):
        assert ask()[0] == 200
        time.sleep(2)
    assert {ask()[0] for _ in range(12)} == {429}
