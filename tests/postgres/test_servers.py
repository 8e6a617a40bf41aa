"""Whole servers beside each other, with one database that comes and goes."""

from __future__ import annotations

import json

import hermetic
import pytest
from click.testing import CliRunner
from conftest import FAKE_CLAUDE
from server import until

from app.console import main
from app.keys.postgres import PostgresKeys
from app.keys.terms import Terms

FAKE = {"CLAUDE_PROXY_KEEP": "0"}


@pytest.fixture
def start(serve, url):
    """Start one more server with the same database."""
    return lambda **more: serve(CLAUDE_PROXY_DATABASE=url, **FAKE, **more)


def test_a_session_goes_on_elsewhere(start, standin):
    """What one server has answered, another goes on with, also when the first is gone; responses are kept in common."""
    first, second = start(), start()
    assert first.chat("The word is plum.", session_id="garden")[0] == 200
    first.kill()
    assert second.chat("Which word?", session_id="garden")[0] == 200
    asked = [text["text"] for message in standin.messages[-1]["messages"] for text in _texts(message)]
    assert "The word is plum." in asked
    assert "Which word?" in asked
    status, listed = second.get("/v1/sessions")
    assert [(session["id"], session["turns"]) for session in listed["data"]] == [("garden", 4)]
    assert status == 200


def test_a_demo(start, connect):
    """A demo lets the database's keys in and leaves nothing there: no session, no use, no host."""
    key = PostgresKeys(connect()).add("laptop")
    server = start(CLAUDE_PROXY_DEMO="1")
    assert server.chat("Hello.")[0] == 401
    given = {"Authorization": f"Bearer {key}"}
    body = {"model": "sonnet", "messages": [{"role": "user", "content": "Hello."}]}
    assert server.request("POST", "/v1/chat/completions", body, {**given, "X-Session-Id": "garden"})[0] == 200

    def used():
        return json.loads(server.request("GET", "/v1/usage", headers=given)[2])["total"]["requests"]

    until(lambda: used() == 1, what="its use")
    database = connect()
    for table in ("sessions", "turns", "hosts"):
        (count,) = database.do(lambda db, table=table: db.execute(f"SELECT count(*) FROM {table}").fetchone())
        assert count == 0, table


def test_the_database_comes_and_goes(start, engine):
    """While it is away, chats are answered, and what needs it gets a 503 with a time; then all heals."""
    server = start()
    assert server.chat("Hello.", session_id="garden")[0] == 200
    engine.stop()
    try:
        until(lambda: server.chat("Hello?", session_id="garden")[0] == 503, 30)
        status, headers, body = server.chat("Hello?", session_id="garden")
        assert (status, body["error"]["code"], int(headers["retry-after"]) > 0) == (503, "storage_unavailable", True)
        _, _, events = server.chat("Hello?", session_id="garden", stream=True)
        assert "storage_unavailable" in json.dumps(events)
        for path in ("/v1/sessions", "/v1/responses/resp_1"):
            status, body = server.get(path)
            assert (status, body["error"]["code"]) == (503, "storage_unavailable")
        assert server.chat("Hello.")[0] == 200
        assert server.chat("Hello.", stream=True)[0] == 200
    finally:
        engine.start()
    until(lambda: server.chat("And now?", session_id="garden")[0] == 200, 30)
    assert server.get("/v1/sessions/garden")[1]["messages"][0]["content"][0]["text"] == "Hello."


def test_it_is_away_at_the_start(start, engine):
    """A server that starts without its database lets nobody in until it is there, and needs no restart then."""
    engine.stop()
    try:
        server = start()
        status, headers, body = server.chat("Hello.")
        assert (status, body["error"]["code"]) == (503, "storage_unavailable")
        assert "retry-after" in headers
    finally:
        engine.start()
    until(lambda: server.chat("Hello.")[0] == 200, 30)


def _texts(message):
    content = message["content"]
    return [{"text": content}] if isinstance(content, str) else [part for part in content if "text" in part]


def test_budgets_over_hosts(start, connect):
    """A key's budget is one for all hosts: what either has answered counts at the other within moments."""
    keys = PostgresKeys(connect())
    phone, boss = keys.add("phone", Terms(requests_per_day=5)), keys.add("boss")
    servers = [start(CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_ADMIN_KEYS="boss") for _ in range(2)]

    def left(server):
        status, headers, _ = server.request("GET", "/v1/models", None, {"Authorization": f"Bearer {phone}"})
        return status == 200 and int(headers["x-ratelimit-remaining-requests"])

    def ask(server):
        body = {"model": "sonnet", "messages": [{"role": "user", "content": "answer"}]}
        return server.request("POST", "/v1/chat/completions", body, {"Authorization": f"Bearer {phone}"})

    first, second = servers
    until(lambda: left(first) == left(second) == 5, 15, "the key")
    assert [ask(first)[0] for _ in range(3)] == [200] * 3
    assert left(first) == 2
    until(lambda: left(second) == 2, 10, "what the first has answered")
    assert [ask(second)[0] for _ in range(3)] == [200, 200, 429]
    until(lambda: left(first) == 0, 10, "what the second has answered")
    status, _, body = ask(first)
    assert (status, json.loads(body)["error"]["code"]) == (429, "key_budget")
    for server in servers:
        _, _, told = server.request("GET", "/v1/usage?by=key", None, {"Authorization": f"Bearer {boss}"})
        assert [(part["name"], part["requests"]) for part in json.loads(told)["data"]] == [("phone", 5)]


def test_use_while_the_database_is_away(start, engine):
    """Turns are answered meanwhile, and counted when it is back, once each."""
    server = start(CLAUDE_BIN=str(FAKE_CLAUDE))
    assert server.chat("answer")[0] == 200
    assert server.get("/v1/usage")[1]["total"]["requests"] == 1
    engine.stop()
    try:
        until(lambda: server.get("/v1/usage")[0] == 503, 30)
        assert [server.chat("answer")[0] for _ in range(3)] == [200] * 3
    finally:
        engine.start()
    until(lambda: server.get("/v1/usage")[0] == 200, 30)
    assert server.get("/v1/usage")[1]["total"]["requests"] == 4


def test_the_command_for_usage(start, engine, url, tmp_path):
    """`claude-max-api usage` sums up what all hosts have answered, beside them, and says in words that it cannot."""
    first, second = (start(CLAUDE_BIN=str(FAKE_CLAUDE)) for _ in range(2))
    assert [server.chat("answer")[0] for server in (first, second, second)] == [200] * 3

    def usage(*argv):
        return CliRunner().invoke(main, ["usage", *argv], env=hermetic.environment(tmp_path, CLAUDE_PROXY_DATABASE=url))

    until(lambda: json.loads(usage("--json").stdout)["total"]["requests"] == 3, what="the turns of both")
    (told,) = [line.split() for line in usage("--by", "model").stdout.splitlines() if line.startswith("claude-")]
    assert told[1:3] == ["3", "0"]
    engine.stop()
    try:
        failed = usage()
    finally:
        engine.start()
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert "database" in failed.stderr
