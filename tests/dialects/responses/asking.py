"""Asking the parser: a short way to a request, or to its refusal."""

from __future__ import annotations

import json

import pytest

from app.conversation import Message, TextBlock, ToolUseBlock
from app.dialects.dialect import StoredResponse
from app.dialects.responses.request import parse
from app.errors import BadRequest
from dialects.chat_completions.bodies import accepted
from dialects.context import context

LOOK = {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}}
CALL = {"type": "function_call", "id": "fc_ab_1", "call_id": "toolu01", "name": "look", "arguments": '{"at": "sky"}'}
SEEN = {"type": "function_call_output", "call_id": "toolu01", "output": "blue"}
SAID = Message("assistant", (TextBlock("Hm."), ToolUseBlock("toolu01", "look", {"at": "sky"})))
BEFORE = StoredResponse(
    {
        "id": "resp_ab",
        "output": [
            {
                "id": "msg_ab_0",
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Hm."}],
            },
            CALL,
        ],
    },
    "Be kind.",
    (Message("user", (TextBlock("Hi"),)), SAID),
)


def read(body):
    """Return the parsed body; one response is kept."""
    return parse(body, context(kept={"resp_ab": BEFORE}))


def ask(given="Hi", **fields):
    """Return the parsed request of these fields, written as JSON."""
    return read(json.dumps({"model": "m", "input": given, **fields}).encode())


def refused(given="Hi", **fields):
    """Return the error that these fields meet."""
    with pytest.raises(BadRequest) as caught:
        ask(given, **fields)
    assert caught.value.param is not None
    assert caught.value.param in caught.value.message
    return caught.value


USER = {"role": "user", "content": "Hi"}


def messages_of(*items, **fields):
    """Return the messages of these items, which the API would take."""
    found = ask(list(items), **fields).conversation.messages
    accepted("", found)
    return found
