"""Asking the parser: a short way to a request, or to its refusal."""

from __future__ import annotations

import json

import pytest

from app.dialects.chat_completions.request import parse
from app.errors import BadRequest
from dialects.context import context

HI = {"role": "user", "content": "Hi"}


def ask(messages=(HI,), **fields):
    """Return the parsed request of these fields, written as JSON."""
    return parse(json.dumps({"model": "m", "messages": list(messages), **fields}).encode(), context())


def refused(messages=(HI,), **fields):
    """Return the error that these fields meet."""
    with pytest.raises(BadRequest) as caught:
        ask(messages, **fields)
    assert caught.value.param is not None
    assert caught.value.param in caught.value.message
    return caught.value


def tool(name="look", parameters=None, **more):
    return {"type": "function", "function": {"name": name, "parameters": parameters, **more}}
