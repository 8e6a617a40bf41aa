"""Paths that others write reach the routes that they mean, and Azure's name the model."""

from __future__ import annotations

import pytest

from app.web.paths import DEPLOYMENT, Paths, with_model
from app.web.state import state


@pytest.mark.parametrize(
    ("path", "seen", "model"),
    [
        ("/v1/v1/chat/completions", "/v1/chat/completions", None),
        ("/v1/v1/v1/models", "/v1/models", None),
        ("/v1/models/v1/v1", "/v1/models/v1/v1", None),
        ("/v1/v10/models", "/v1/v10/models", None),
        ("/v1/chat/completions", "/v1/chat/completions", None),
        ("/v1", "/v1", None),
        ("/openai/deployments/claude-sonnet-4/chat/completions", "/v1/chat/completions", "claude-sonnet-4"),
        ("/openai/deployments/a b/embeddings", "/v1/embeddings", "a b"),
        ("/openai/deployments/x", "/v1/deployments/x", None),
        ("/openai/v1/responses", "/v1/responses", None),
        ("/openai/responses/resp_1", "/v1/responses/resp_1", None),
        ("/openai", "/openai", None),
        ("/openaix/v1/models", "/openaix/v1/models", None),
        ("/", "/", None),
    ],
)
def test_paths(path, seen, model):
    """What stands for a route becomes its path; all else stays as it is."""
    environ = {"PATH_INFO": path}
    Paths(lambda environ, start: [])(environ, None)
    assert (environ["PATH_INFO"], environ.get(DEPLOYMENT)) == (seen, model)


@pytest.mark.parametrize(
    ("body", "model", "expected"),
    [
        (b'{"messages":[]}', 'so"net', b'{"model":"so\\"net","messages":[]}'),
        (b" {\n }", "sonnet", b'{"model":"sonnet"}'),
        (b"[]", "sonnet", b"[]"),
        (b"", "sonnet", b""),
        (b'{"a":1}', None, b'{"a":1}'),
    ],
)
def test_model(body, model, expected):
    """A body gets the model that the path names, in front; what is no object stays what it is."""
    assert with_model(body, model) == expected


def test_model_of_the_path(app, client, ask):
    """The path's model is asked, whatever the body says of it, and a body need not name one."""
    path = "/openai/deployments/{}/chat/completions?api-version=2024-10-21"
    assert ask("answer", path=path.format("claude-haiku-4"), model="opus").status_code == 200
    body = {"messages": [{"role": "user", "content": "answer"}]}
    assert client.post(path.format("claude-haiku-4"), json=body).status_code == 200
    assert [turn.asked for turn in state(app).history.turns()] == ["claude-haiku-4"] * 2
    assert client.post(path.format("claude-haiku-4"), json={}).json["error"]["param"] == "messages"
    assert client.post("/openai/deployments/ada/embeddings", json={}).json["error"]["code"] == "not_offered"
