"""Whatever JSON comes in, a request is parsed into what the API takes, or refused by name."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.claude.cli.tools import definition
from app.dialects.chat_completions.request import parse
from app.errors import BadRequest
from app.standin import tool as standin_tool
from dialects.context import context
from dialects.mutations import changed, places, values
from dialects.test_attachments import PDF, picture

from .asking import ask
from .bodies import accepted
from .test_all_parameters import EVERYTHING, TOOL
from .test_response_format import TREE

ROUND = [
    {"role": "system", "content": "Be kind."},
    {
        "role": "user",
        "content": [{"type": "text", "text": "Hi"}, picture(), {"type": "file", "file": {"file_data": PDF}}],
    },
    {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "name", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "a", "content": ["see", picture()]},
]
GOOD = {
    **EVERYTHING,
    "messages": ROUND,
    "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TOOL]}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": TREE}},
    "reasoning": {"effort": "low"},
    "stop": ["a", "b"],
}


def check(found):
    """Fail unless the API would take the conversation, and a header the names."""
    conversation = found.conversation
    accepted(conversation.system, conversation.messages)
    standin_tool.check([definition(tool) for tool in conversation.tools])
    assert msgspec.json.encode(conversation)
    ", ".join(found.ignored).encode("ascii")


def outcome(text):
    """Return the parsed request, or the one error there may be."""
    try:
        return parse(text.encode(), context())
    except BadRequest as error:
        return error


def test_good():
    """The body that the next test changes is good."""
    check(ask(**GOOD))


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
    for text in ('{"a":' * 150 + "1" + "}" * 150, "[" * 900 + "]" * 900, "[" * 100_000):
        marked = json.dumps(changed(GOOD, path, "HERE")).replace('"HERE"', text)
        found = outcome(marked)
        if not isinstance(found, BadRequest):
            check(found)


def test_deepest():
    """A body may be nested a hundred levels deep, but not so deep that whoever writes it on would run out of stack."""
    assert outcome(json.dumps({**GOOD, "metadata": "HERE"}).replace('"HERE"', "[" * 100 + "]" * 100)).ignored
    error = outcome(json.dumps(GOOD).replace('"foo": "string"', '"foo": ' + "[" * 300 + "]" * 300))
    assert isinstance(error, BadRequest)
    assert "deeper than" in error.message


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", "9" * 5000, "01", ""])
def test_no_json(text):
    """What only looks like JSON is a 400."""
    with pytest.raises(BadRequest):
        parse(
            f'{{"model": "m", "messages": [{{"role": "user", "content": "Hi"}}], "seed": {text}}}'.encode(), context()
        )
