"""A dialect is one object: the server needs nothing else to speak it."""

from __future__ import annotations

import json
from pathlib import Path

import hermetic
import msgspec
import pytest

from app import create_app
from app.config_reading import read_settings
from app.conversation import Conversation, Message, TextBlock
from app.dialects import DIALECTS
from app.dialects.dialect import Dialect, Envelope, Operation
from app.errors import BadRequest
from app.events import TextDelta
from app.web.state import state

FAKE_CLAUDE = Path(__file__).parent.parent / "fake_claude.py"


class EchoBody(msgspec.Struct):
    text: str


class EchoRequest:
    """Asks one question, and answers with its text alone."""

    ignored, session_id, streams = (), None, False

    def __init__(self, body, context):
        if not body:
            raise BadRequest("say something")
        question = Message("user", (TextBlock(body.decode()),))
        self.conversations = [Conversation(context.resolve_model("sonnet"), "", (question,))]

    def render(self, batches):
        return b"".join(event.json for batch in batches for event in batch if isinstance(event, TextDelta))


ENVELOPE = Envelope(lambda error: 418, lambda error, request_id: {"sorry": error.message}, name="Echo")
OPERATION = Operation("echo", "Say it.", EchoBody, "EchoAnswer", "nothing", schemas={"EchoAnswer": {"type": "string"}})
ECHO = Dialect("echo", "/echo", EchoRequest, ENVELOPE, OPERATION)


@pytest.fixture
def client(tmp_path):
    env = hermetic.environment(tmp_path, CLAUDE_BIN=str(FAKE_CLAUDE), CLAUDE_PROXY_SPARES="0")
    app = create_app(read_settings(env), (*DIALECTS, ECHO))
    yield app.test_client()
    state(app).start.close()


def test_a_dialect_of_one_object(client):
    """It is served with and without the prefix, in its own words of errors, and stands in the document."""
    for prefix in ("/v1", ""):
        response = client.post(f"{prefix}/echo", data="Hello")
        assert (response.status_code, response.data) == (200, b'"Hello ""world."')
        assert response.headers["x-proxy-served"] == "cold"
        refused = client.post(f"{prefix}/echo", data="")
        assert (refused.status_code, refused.json) == (418, {"sorry": "say something"})
        assert "it takes OPTIONS, POST" in client.get(f"{prefix}/echo").json["sorry"]
    paths = client.get("/openapi.json").json["paths"]
    assert paths["/v1/echo"]["post"]["operationId"] == "echo"
    # The others are as they were.
    assert client.post("/v1/messages", data="{}").json["type"] == "error"
    assert "code" in client.post("/v1/chat/completions", data="{}").json["error"]


def test_dialects_are_told_apart():
    """No two have a name, a path or an operation in common, and each request's struct has a name of its own."""
    for facts in (
        [dialect.name for dialect in DIALECTS],
        [dialect.path for dialect in DIALECTS],
        [dialect.operation.id for dialect in DIALECTS],
        [dialect.operation.request.__name__ for dialect in DIALECTS],
    ):
        assert len(set(facts)) == len(facts)
    same = {}
    for dialect in DIALECTS:
        for name, schema in dialect.operation.schemas.items():
            assert same.setdefault(name, json.dumps(schema)) == json.dumps(schema)
