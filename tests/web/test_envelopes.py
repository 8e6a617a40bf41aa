"""Whose words an error is in is decided by the route, before anything has looked at the request."""

from __future__ import annotations

import pytest

HEADER = {"anthropic-version": "2023-06-01"}
HELLO = {"model": "sonnet", "max_tokens": 10, "messages": [{"role": "user", "content": "hello"}]}


@pytest.mark.parametrize("path", ["/v1/messages", "/messages", "/v1/messages/batches", "/messages/"])
@pytest.mark.parametrize(
    ("fields", "status", "kind"),
    [
        ({"json": {}}, (400, 501), ("invalid_request_error", "api_error")),
        ({"data": b"{"}, (400, 501), ("invalid_request_error", "api_error")),
        ({"headers": {"Host": "evil.example"}}, (403,), ("permission_error",)),
        ({"headers": {"Origin": "http://evil.example"}}, (403,), ("permission_error",)),
    ],
)
def test_anthropic_routes(client, path, fields, status, kind):
    """Every failure under /messages is in Anthropic's envelope, with an id in body and header."""
    response = client.post(path, **fields)
    assert response.status_code in status
    assert set(response.json) == {"type", "error", "request_id"}
    assert response.json["type"] == "error"
    assert response.json["error"]["type"] in kind
    assert response.json["request_id"] == response.headers["request-id"] == response.headers["x-request-id"]


def test_too_large(make_app):
    """A body beyond the limit is request_too_large."""
    client = make_app(CLAUDE_PROXY_MAX_BODY="100").test_client()
    response = client.post("/v1/messages", json={**HELLO, "system": "a" * 200})
    assert (response.status_code, response.json["error"]["type"]) == (413, "request_too_large")


def test_method(client):
    """A wrong method is told in the envelope too."""
    response = client.get("/v1/messages")
    assert (response.status_code, response.json["error"]["type"]) == (405, "invalid_request_error")
    assert "POST" in response.headers["Allow"]


def test_models(client):
    """Models are listed in the shape of whoever asks, and so is the failure to find one."""
    assert client.get("/v1/models").json["object"] == "list"
    listed = client.get("/v1/models", headers=HEADER).json
    assert listed["has_more"] is False
    assert listed["first_id"] == listed["data"][0]["id"]
    assert {model["type"] for model in listed["data"]} == {"model"}
    assert client.get("/v1/models/gpt-9").json["error"]["code"] == "model_not_found"
    assert client.get("/v1/models/gpt-9", headers=HEADER).json["error"]["type"] == "not_found_error"


def test_other_routes(client):
    """OpenAI's routes fail in its words, whatever headers come; unknown ones in Anthropic's for its header alone."""
    for path, headers in (("/v1/chat/completions", HEADER), ("/v1/messagesx", {}), ("/v1/x", {})):
        response = client.post(path, json={}, headers=headers)
        assert set(response.json["error"]) == {"message", "type", "param", "code"}
        assert "request-id" not in response.headers
    response = client.post("/v1/x", json={}, headers=HEADER)
    assert response.json["error"]["type"] == "not_found_error"
    assert "request-id" in response.headers


def test_answer(client):
    """Without a version header, at the bare path, an answer is a message all the same."""
    response = client.post("/messages", json=HELLO)
    assert response.json["type"] == "message"
    assert response.json["content"][0]["type"] == "text"
    assert response.headers["request-id"].startswith("req_")
