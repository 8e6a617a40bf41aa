"""GET /v1/usage: each key's own figures, all of them for those who may see them."""

from __future__ import annotations

import time

import pytest

from app.errors import DatabaseFailed
from app.ledger.entry import Entry
from app.web.state import state

ANN, BOB, BOSS = ("ann-" + "a" * 20, "bob-" + "b" * 20, "boss-" + "c" * 20)
KEYS = f"ann:{ANN},bob:{BOB},boss:{BOSS}"


def used(client, secret=None, **query):
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    response = client.get("/v1/usage", query_string=query, headers=headers)
    return response.status_code, response.get_json()


def fill(app):
    for name, tokens in (("ann", 10), ("bob", 20)):
        key = (
            next(key for key in state(app).settings.api_keys if key.name == name)
            if state(app).settings.api_keys
            else None
        )
        owner = key.identity if key else ""
        state(app).ledger.note(
            Entry(request=name, at=time.time(), owner=owner, key=name, model="m", input_tokens=tokens, dollars=0.5)
        )


def test_own_and_all(make_app):
    """A key sees its own figures, an operator's key everybody's."""
    app = make_app(CLAUDE_PROXY_API_KEYS=KEYS, CLAUDE_PROXY_ADMIN_KEYS="boss")
    fill(app)
    client = app.test_client()
    assert client.get("/v1/usage").status_code == 401
    _, own = used(client, ANN)
    assert [(part["name"], part["input_tokens"]) for part in own["data"]] == [("ann", 10)]
    assert own["total"]["dollars"] == 0.5
    _, everybody = used(client, BOSS, by="model", since="1d")
    assert [(part["name"], part["requests"], part["input_tokens"]) for part in everybody["data"]] == [("m", 2, 30)]
    assert everybody["total"]["requests"] == 2
    assert used(client, BOSS, since="5min")[1]["total"] == everybody["total"]


def test_without_keys(app, client):
    """Without keys everybody who may call sees all."""
    fill(app)
    assert used(client)[1]["total"]["requests"] == 2
    assert client.get("/usage").status_code == 200


@pytest.mark.parametrize(("field", "value"), [("by", "prompt"), ("since", "yesterday"), ("since", "2026-02-30")])
def test_wrong_questions(client, field, value):
    """What cannot be asked is a 400 that names the field and what it takes."""
    status, body = used(client, **{field: value})
    assert (status, body["error"]["param"]) == (400, field)
    assert "takes" in body["error"]["message"]


def test_unreadable(app, client, monkeypatch):
    """A ledger that cannot be read is a 503, and nothing of its inside is told."""

    def fail(_):
        raise DatabaseFailed("database disk image is malformed at /home/me")

    monkeypatch.setattr(state(app).ledger, "read", fail)
    status, body = used(client)
    assert (status, body["error"]["code"]) == (503, "usage_unreadable")
    assert "/home" not in body["error"]["message"]
