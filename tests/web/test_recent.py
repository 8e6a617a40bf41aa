"""The record of requests: what the page, /ready and the metrics are told of each, and when."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.facts import Facts
from app.web.entry import Entry
from app.web.minutes import Minutes
from app.web.recent import Recent
from app.web.state import state


@pytest.fixture
def recent(app):
    return state(app).recent


def turns_of(recent):
    return [(facts.route, facts.status, facts.code, facts.running) for facts in recent.turns()]


def test_whole(ask, recent):
    """An answered question is remembered with its numbers, and with no word of it."""
    response = ask("answer SECRET", whatever="SECRET")
    response.close()
    (facts,) = recent.turns()
    assert facts.id == response.headers["x-request-id"]
    assert (facts.status, facts.code, facts.model, facts.served) == (200, None, "claude-fake-1", "cold")
    assert (facts.input_tokens, facts.output_tokens, facts.stop, facts.running) == (1, 2, "end_turn", False)
    assert facts.queued_ms is not None and facts.ttft_ms is not None
    assert 0 <= facts.queued_ms <= facts.ttft_ms <= facts.ms
    assert "SECRET" not in repr(facts)


def test_stream(ask, recent):
    """A stream runs until it is closed, and is told then."""
    response = ask("answer", stream=True)
    assert turns_of(recent) == [("/v1/chat/completions", 200, None, True)]
    assert response.data.endswith(b"[DONE]\n\n")
    response.close()
    (facts,) = recent.turns()
    assert (facts.running, facts.output_tokens, facts.stop) == (False, 2, "end_turn")


def test_stream_that_fails(ask, recent):
    """An error within a stream is its code, although its status was 200, and it is among the last errors."""
    response = ask("crash", stream=True)
    assert b"error" in response.data
    response.close()
    assert turns_of(recent) == [("/v1/chat/completions", 200, "cli_exited", False)]
    (error,) = recent.errors()
    assert (error["code"], error["route"]) == ("cli_exited", "/v1/chat/completions")


def test_several_choices(ask, recent):
    """The tokens of all choices are added up."""
    ask("answer", n=3).close()
    assert recent.turns()[0].output_tokens == 6


def test_refused(client, recent):
    """A refused question is shown; another route only among the errors, and never by its path."""
    client.post("/v1/chat/completions", data=b"{").close()
    client.get("/secret/path").close()
    client.get("/health").close()
    assert [(facts.route, facts.status, facts.running) for facts in recent.turns()] == [
        ("/v1/chat/completions", 400, False)
    ]
    assert [error["route"] for error in recent.errors()] == ["unmatched", "/v1/chat/completions"]
    assert "secret" not in str(recent.errors())


def test_ready_tells(client):
    """/ready has the uptime, the plan, the processes and the last errors."""
    client.get("/nowhere").close()
    body = client.get("/ready").json
    assert 0 <= body["uptime_s"] < 60
    assert body["plan"] == {"windows": {}, "limits": []}
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


def entry(number=0, code=None, *, turn=True):
    made = Entry(f"req_{number}", "/v1/chat/completions", turn=turn)
    made.code = code
    return made


def test_bounded():
    """However many there are, so many are kept, the latest first."""
    recent = Recent()
    for number in range(500):
        made = entry(number, "overloaded")
        recent.begin(made)
        recent.end(made)
    assert [facts.id for facts in recent.turns()] == [f"req_{number}" for number in range(499, 449, -1)]
    assert len(recent.errors()) == 10


def test_once():
    """Each end is told once, and a listener that fails harms nobody."""
    told = []
    recent = Recent(told.append, lambda facts: 1 / 0)
    made = entry()
    recent.begin(made)
    recent.end(made)
    recent.end(made)
    assert [facts.id for facts in told] == ["req_0"]


def test_minutes():
    """Turns are counted minute by minute for an hour, with the median of their first tokens; others are not."""
    now = [600_000.0]
    minutes = Minutes(lambda: now[0])

    def note(ttft=None, code=None, *, turn=True):
        minutes.note(Facts(id="x", at=1, route="/", turn=turn, ttft_ms=ttft, code=code))

    for ttft in (100, 900, 200):
        note(ttft)
    note(code="overloaded")
    note(turn=False)
    now[0] += 59 * 60
    note()
    series = minutes.series()
    assert len(series) == 60
    assert series[0] == {"at": 600_000, "requests": 4, "errors": 1, "ttft_ms": 200}
    assert series[-1] == {"at": 600_000 + 59 * 60, "requests": 1, "errors": 0, "ttft_ms": None}
    assert sum(minute["requests"] for minute in series) == 5
    now[0] += 60
    assert sum(minute["requests"] for minute in minutes.series()) == 1


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
    numbers.observe(Facts(**facts, owner="laptop.1"))
    assert b'key="laptop"' in numbers.exposition("laptop.1", "laptop")
    assert b'key="laptop"' not in numbers.exposition("laptop.2", "laptop")
    numbers.observe(Facts(**facts, owner="laptop.2"))
    assert b"} 5.0" in numbers.exposition("laptop.2", "laptop")
    assert b"} 10.0" not in numbers.exposition("laptop.2", "laptop")
