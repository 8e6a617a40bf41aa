"""Asking the parser: a short way to a request, or to its refusal."""

from __future__ import annotations

import json

import pytest

from app.dialects.messages.request import parse
from app.errors import BadRequest
from dialects.context import context

HI = {"role": "user", "content": "Hi"}
LOOK = {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {}}}


def ask(messages=(HI,), **fields):
    """Return the parsed request of these fields, written as JSON."""
    body = {"model": "m", "max_tokens": 100, "messages": list(messages), **fields}
    return parse(json.dumps(body).encode(), context())


def refused(messages=(HI,), **fields):
    """Return the error that these fields meet."""
    with pytest.raises(BadRequest) as caught:
        ask(messages, **fields)
    assert caught.value.param is not None
    assert caught.value.param in caught.value.message
    return caught.value


def used(call_id="toolu_1", name="look", **given):
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def result(call_id="toolu_1", content="seen", **more):
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **more}


def said(*blocks):
    return {"role": "assistant", "content": list(blocks)}


def asked(*blocks):
    return {"role": "user", "content": list(blocks)}
