"""Whatever JSON comes in, a request is parsed into what the API takes, or refused by name."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.claude.cli.tools import definition
from app.dialects.messages.request import parse
from app.errors import BadRequest
from app.standin import tool as standin_tool
from dialects.chat_completions.bodies import accepted
from dialects.context import context
from dialects.mutations import changed, places, values

from .asking import LOOK, asked, result, said, used
from .test_request import PDF, PNG

GOOD = {
    "model": "m",
    "max_tokens": 100,
    "system": [{"type": "text", "text": "Be kind."}],
    "messages": [
        asked(
            {"type": "text", "text": "Hi"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
        ),
        said({"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}, {"type": "text", "text": "So."}, used()),
        asked(result(content=[{"type": "text", "text": "seen"}], is_error=True), {"type": "text", "text": "And?"}),
    ],
    "tools": [LOOK],
    "tool_choice": {"type": "tool", "name": "look", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 2000, "display": "summarized"},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    "stop_sequences": ["END"],
    "stream": True,
    "metadata": {"user_id": "a"},
    "temperature": 0.5,
}


def check(found):
    """Fail unless the API would take the conversation, and a header the names."""
    conversation = found.conversation
    accepted(conversation.system, conversation.messages)
    standin_tool.check([definition(tool) for tool in conversation.tools])
    assert msgspec.json.encode(conversation)
    ", ".join(found.ignored).encode("ascii")


def test_good():
    """The body that the next test changes is good."""
    check(parse(json.dumps(GOOD).encode(), context()))


def outcome(text):
    """Return the parsed request, or the one error there may be."""
    try:
        return parse(text.encode(), context())
    except BadRequest as error:
        return error


@given(st.sampled_from(places(GOOD)[1:]), values)
def test_one_odd_value(path, value):
    """Anything at any place of a good body is taken, or a 400 that names a field."""
    found = outcome(json.dumps(changed(GOOD, path, value)))
    if isinstance(found, BadRequest):
        assert found.param
    else:
        check(found)


@pytest.mark.parametrize("path", places(GOOD), ids=str)
def test_deep(path):
    """No depth of nesting, at any place, raises anything but a 400."""
    for text in ('{"a":' * 150 + "1" + "}" * 150, "[" * 900 + "]" * 900):
        marked = json.dumps(changed(GOOD, path, "HERE")).replace('"HERE"', text)
        found = outcome(marked)
        if not isinstance(found, BadRequest):
            check(found)
