"""The record of requests: what the page, /ready and the metrics are told of each, and when."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.errors import KeyBusy
from app.records.record import RequestSummary
from app.web.recording import program_named
from app.web.state import record, state


@pytest.fixture
def history(app):
    return state(app).history


def read_messages(history):
    return [(facts.route, facts.status, facts.code, facts.running) for facts in history.turns()]


def test_whole(ask, history):
    """An answered question is remembered with its numbers, and with no word of it."""
    response = ask("answer SECRET", whatever="SECRET")
    response.close()
    (facts,) = history.turns()
    assert facts.id == response.headers["x-request-id"]
    assert (facts.status, facts.code, facts.model, facts.served) == (200, None, "claude-fake-1", "cold")
    assert (facts.input_tokens, facts.output_tokens, facts.stop, facts.running) == (1, 2, "end_turn", False)
    assert facts.queued_ms is not None and facts.ttft_ms is not None
    assert 0 <= facts.queued_ms <= facts.ttft_ms <= facts.ms
    assert "SECRET" not in repr(facts)


def test_stream(ask, history):
    """A stream runs until it is closed, and is told then."""
    response = ask("answer", stream=True)
    assert read_messages(history) == [("/v1/chat/completions", 200, None, True)]
    assert response.data.endswith(b"[DONE]\n\n")
    response.close()
    (facts,) = history.turns()
    assert (facts.running, facts.output_tokens, facts.stop) == (False, 2, "end_turn")


def test_stream_that_fails(ask, history):
    """An error within a stream is its code, although its status was 200, and it is among the last errors."""
    response = ask("crash", stream=True)
    assert b"error" in response.data
    response.close()
    assert read_messages(history) == [("/v1/chat/completions", 200, "cli_exited", False)]
    (error,) = history.errors()
    assert (error["code"], error["route"]) == ("cli_exited", "/v1/chat/completions")


def test_several_choices(ask, history):
    """The tokens of all choices are added up."""
    ask("answer", n=3).close()
    assert history.turns()[0].output_tokens == 6


def test_refused(client, history):
    """What is not understood is no turn: it is among the errors, by its route and never by its path."""
    client.post("/v1/chat/completions", data=b"{").close()
    client.get("/secret/path").close()
    client.get("/health").close()
    assert history.turns() == []
    assert [error["route"] for error in history.errors()] == ["unmatched", "/v1/chat/completions"]
    assert "secret" not in str(history.errors())


FOREIGN = {"Origin": "http://evil.example"}
NO_TURN = (
    ("POST", "/v1/chat/completions", {"headers": {"Host": "evil.example"}}, 403),
    ("POST", "/v1/chat/completions", {"headers": FOREIGN}, 403),
    ("POST", "/v1/chat/completions", {"json": {"messages": []}}, 400),
    ("POST", "/v1/messages/count_tokens", {"json": {}}, 400),
    ("GET", "/v1/models", {}, 200),
)


@pytest.mark.parametrize("asked", NO_TURN)
def test_no_turn(app, client, history, asked):
    """A turn begins when a request is understood: until then it is no turn, and no error in the charts."""
    method, path, sent, status = asked
    with client.open(path, method=method, **sent) as response:
        assert response.status_code == status
    assert history.turns() == []
    assert state(app).figures.told()[0]["bars"] == []


def test_turn_that_is_refused(make_app):
    """A request that was understood is a turn, also where a limit refuses it."""
    app = make_app(CLAUDE_PROXY_API_KEYS=f"laptop:{LAPTOP}", CLAUDE_PROXY_KEY_CONCURRENCY="1")
    body = {"model": "sonnet", "n": 2, "messages": [{"role": "user", "content": "answer"}]}
    headers = {"Authorization": f"Bearer {LAPTOP}"}
    with app.test_client().post("/v1/chat/completions", json=body, headers=headers) as response:
        assert response.status_code == 429
    (turn,) = state(app).history.turns()
    assert (turn.code, turn.key, turn.running) == (KeyBusy.code, "laptop", False)
    assert state(app).figures.told()[0]["bars"][-1]["errors"] == 1


def test_a_page_that_knocks_pushes_nothing_out(ask, client, history):
    """However often a refused web page asks, the turns and errors of those who were let in stay on the page."""
    ask("answer").close()
    ask("crash").close()
    turns, errors = read_messages(history), history.errors()
    assert len(turns) == 2 and len(errors) == 1
    for _ in range(60):
        client.post("/v1/chat/completions", headers=FOREIGN).close()
        client.get("/nowhere", headers={"Host": "evil.example"}).close()
    assert read_messages(history) == turns
    assert history.errors() == errors


def test_without_a_response(app, client, history):
    """A request that never gets a response is ended all the same, and gives back what it held."""
    given_back = []

    def broken():
        record().on_end(lambda: given_back.append(True))
        raise SystemExit

    app.before_request_funcs[None].append(broken)
    with pytest.raises(SystemExit):
        client.get("/health")
    assert given_back == [True]
    assert not history.busy


def test_ready_tells(client):
    """/ready has the uptime, the plan, the processes and the last errors."""
    client.get("/nowhere").close()
    body = client.get("/ready").json
    assert 0 <= body["uptime_s"] < 60
    assert body["plan"] == {"windows": {}, "limits": [], "extra": [], "refuses_extra": False, "name": None}
    assert body["limited"] is None
    assert body["processes"] == {"live": 0, "started": {}, "ended": {}}
    assert [error["code"] for error in body["last_errors"]] == ["not_found"]


def test_metrics_route(ask, client):
    """A request shows in /metrics once it has ended, by its rule, and its process by what it was started for."""
    ask("answer", user="SECRET").close()
    response = client.get("/metrics")
    assert response.content_type.startswith("text/plain; version=")
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }
    assert found["claude_proxy_requests_total", "", "", "/v1/chat/completions", "200", "other"] == 1
    assert found["claude_proxy_process_starts_total", "request"] == 1
    assert "SECRET" not in response.text


LAPTOP, PHONE, BOSS = (f"{name}-" + "k" * 30 for name in ("laptop", "phone", "boss"))


@pytest.fixture
def seen(make_app):
    """Give what a key sees of metrics, of /ready and of the page, after each of two has asked and failed once."""
    given = ",".join(f"{secret.partition('-')[0]}:{secret}" for secret in (LAPTOP, PHONE, BOSS))
    app = make_app(CLAUDE_PROXY_API_KEYS=given, CLAUDE_PROXY_ADMIN_KEYS="boss")
    client = app.test_client()
    body = {"model": "sonnet", "messages": [{"role": "user", "content": "answer"}]}
    for secret, path in ((LAPTOP, "/v1/chat/completions"), (PHONE, "/v1/completions")):
        headers = {"Authorization": f"Bearer {secret}"}
        client.post("/v1/chat/completions", json=body, headers=headers).close()
        client.post(path, json={}, headers=headers).close()

    def look(secret):
        headers = {"Authorization": f"Bearer {secret}"}
        metrics = client.get("/metrics", headers=headers).text
        errors = client.get("/ready", headers=headers).json["last_errors"]
        with client.get("/events", headers=headers) as response:
            parts = iter(response.response)
            next(parts)
            page = next(parts).decode()
        return metrics, {error["route"] for error in errors}, page

    return look


def test_a_key_sees_its_own(seen):
    """Metrics, errors and the page's history show a key what it did itself, and of others not that they are there."""
    metrics, errors, page = seen(LAPTOP)
    assert 'key="laptop"' in metrics
    assert 'key="phone"' not in metrics
    assert "claude_proxy_build_info" in metrics
    for name in ("turns_total", "queue_length", "kept", "time_to_first_token", "processes"):
        assert f"claude_proxy_{name}" not in metrics
    assert errors == {"/v1/chat/completions"}
    assert '"key":"laptop"' in page
    assert "phone" not in page


def test_a_key_that_sees_all(seen):
    """A key that the operator named sees everything, and nobody sees what a key is known by."""
    metrics, errors, page = seen(BOSS)
    assert 'key="laptop"' in metrics and 'key="phone"' in metrics
    assert "claude_proxy_queue_length" in metrics
    assert errors == {"/v1/chat/completions", "/v1/completions"}
    assert '"key":"laptop"' in page and '"key":"phone"' in page
    assert '"owner"' not in page


def test_a_name_given_again(app):
    """A key under a revoked one's name sees nothing of the old one's figures, and begins at nothing."""
    numbers = state(app).metrics
    facts = {"id": "r", "at": 0.0, "route": "/v1/x", "turn": True, "key": "laptop", "status": 200, "input_tokens": 5}
    numbers.observe(RequestSummary(**facts, owner="laptop.1"))
    assert b'key="laptop"' in numbers.exposition("laptop.1", "laptop")
    assert b'key="laptop"' not in numbers.exposition("laptop.2", "laptop")
    numbers.observe(RequestSummary(**facts, owner="laptop.2"))
    assert b"} 5.0" in numbers.exposition("laptop.2", "laptop")
    assert b"} 10.0" not in numbers.exposition("laptop.2", "laptop")


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("OpenAI/Python 2.54.0", "OpenAI/Python"),
        ("AsyncAnthropic/Python 0.71.0", "AsyncAnthropic/Python"),
        ("curl/8.5.0", "curl"),
        ("python-requests/2.32.5", "python-requests"),
        ("claude-cli/2.1.330 (external, cli)", "claude-cli"),
        ("Go-http-client/1.1", "Go-http-client"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "browser"),
        ("just a name", "just"),
        ("", ""),
        ("  \n", ""),
        ("größe/1", "gr"),
        ("<script>/1", "<script>"),
        ("x" * 1000, "x" * 40),
    ],
)
def test_program(sent, name):
    """A program is its first product, whatever its version; what no header may hold ends the name."""
    assert program_named(sent) == name
