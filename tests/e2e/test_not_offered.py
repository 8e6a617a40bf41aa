"""What clients call of OpenAI's and Anthropic's APIs and is not served: a 501 that says so, never a wrong method."""

from __future__ import annotations

import json

import anthropic
import openai
import pytest
from server import Server

VERSION = {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("POST", "/v1/responses/compact", "Compacting"),
        ("POST", "/v1/responses/resp_1/cancel", "background"),
        ("GET", "/v1/responses/resp_1/input_items", "input of a response"),
        ("GET", "/v1/chat/completions/chatcmpl-1", "not stored"),
        ("POST", "/v1/chat/completions/chatcmpl-1", "not stored"),
        ("DELETE", "/v1/chat/completions/chatcmpl-1", "not stored"),
        ("GET", "/v1/chat/completions/chatcmpl-1/messages", "not stored"),
        ("POST", "/v1/messages/batches", "Batches"),
        ("GET", "/v1/messages/batches", "Batches"),
        ("GET", "/v1/messages/batches/msgbatch_1/results", "Batches"),
        ("POST", "/v1/batches", "Batches"),
        ("POST", "/v1/complete", "/v1/messages"),
        ("POST", "/v1/engines/davinci/completions", "in the body"),
        ("POST", "/v1/embeddings", "Embeddings"),
        ("POST", "/v1/engines/ada/embeddings", "Embeddings"),
        ("POST", "/v1/moderations", "Moderation"),
        ("POST", "/v1/images/generations", "pictures"),
        ("POST", "/v1/audio/transcriptions", "Sound"),
        ("GET", "/v1/files", "Files"),
        ("POST", "/v1/files", "Files"),
        ("POST", "/v1/conversations", "previous_response_id"),
        ("POST", "/v1/threads/runs", "/v1/responses"),
        ("POST", "/v1/assistants", "/v1/responses"),
        ("POST", "/v1/vector_stores", "not offered"),
        ("POST", "/embeddings", "Embeddings"),
    ],
)
def test_not_offered(fake_server: Server, method: str, path: str, words: str) -> None:
    """Each is a 501 in clear words, which no SDK tries again."""
    status, headers, body = fake_server.request(method, path, None if method == "GET" else {})
    error = json.loads(body)["error"]
    assert (status, headers["x-should-retry"]) == (501, "false")
    assert error.get("code", error.get("details", {}).get("error_code")) == "not_offered"
    assert words in error["message"]
    assert "/v1 does not" not in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/chat/completions", 405),
        ("PUT", "/v1/responses", 405),
        ("POST", "/v1/models", 405),
        ("POST", "/v1/unknown", 404),
        ("GET", "/v1/responses/resp_1", 404),
        ("GET", "/v1/embeddingsx", 404),
        ("GET", "/v1/messages/other", 404),
    ],
)
def test_others(fake_server: Server, method: str, path: str, status: int) -> None:
    """What neither API has stays unknown, and a wrong method of a route that is served says which it takes."""
    assert fake_server.request(method, path, None if method == "GET" else {})[0] == status


@pytest.mark.parametrize("path", ["/v1/files", "/v1/skills", "/v1/messages/batches", "/v1/nothing"])
def test_words(fake_server: Server, path: str) -> None:
    """A client of Anthropic's is told in Anthropic's words."""
    assert json.loads(fake_server.request("GET", path, headers=VERSION)[2])["type"] == "error"


def test_sdks(fake_server: Server) -> None:
    """The SDKs raise it as what it is."""
    with openai.OpenAI(base_url=f"{fake_server.url}/v1", api_key="x") as client:
        with pytest.raises(openai.InternalServerError, match="Embeddings") as refused:
            client.embeddings.create(model="x", input="Hi")
        assert refused.value.status_code == 501
    with (
        anthropic.Anthropic(base_url=fake_server.url, api_key="x") as claude,
        pytest.raises(anthropic.APIStatusError, match="Batches"),
    ):
        claude.messages.batches.list()


@pytest.mark.parametrize("stream", [False, True])
def test_headers(fake_server: Server, *, stream: bool) -> None:
    """Each API's answers have its own name for the request's id, and OpenAI's the time until they began."""
    body = {"model": "sonnet", "stream": stream, "max_tokens": 9, "messages": [{"role": "user", "content": "answer"}]}
    _, chat, _ = fake_server.request("POST", "/v1/chat/completions", body)
    assert chat["x-request-id"].startswith("req_")
    assert 0 <= int(chat["openai-processing-ms"]) < 30_000
    assert "request-id" not in chat
    _, message, _ = fake_server.request("POST", "/v1/messages", body)
    assert message["request-id"] == message["x-request-id"]
    assert "openai-processing-ms" not in message
    assert not [name for name in {**chat, **message} if "ratelimit" in name]
