"""Whatever JSON comes in, a request is parsed into what the API takes, or refused by name."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.claude.cli.tools import definition
from app.dialects.responses import objects
from app.errors import BadRequest
from app.standin import tool as standin_tool
from dialects.chat_completions.bodies import accepted
from dialects.mutations import changed, places, values

from .asking import CALL, LOOK, SEEN, read

GOOD = {
    "model": "m",
    "instructions": "Be kind.",
    "input": [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Hi"},
                {"type": "input_image", "image_url": "https://a/b.png"},
                {"type": "input_file", "file_data": "data:text/plain;base64,SGk=", "filename": "a.txt"},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "item_reference", "id": "msg_ab_0"},
        CALL,
        SEEN,
    ],
    "tools": [LOOK],
    "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look"}]},
    "text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "max_output_tokens": 100,
    "metadata": {"a": "b"},
    "stream": True,
    "store": False,
    "temperature": 0.5,
}


def check(found):
    """Fail unless the API would take the conversation, a header the names, and the answer can repeat the request."""
    conversation = found.conversation
    accepted(conversation.system, conversation.messages)
    standin_tool.check([definition(tool) for tool in conversation.tools])
    assert msgspec.json.encode(conversation)
    assert msgspec.json.encode(objects.begun("resp_1", found.request, stored=True))
    ", ".join(found.ignored).encode("ascii")


def outcome(text):
    """Return the parsed request, or the one error there may be."""
    try:
        return read(text.encode())
    except BadRequest as error:
        return error


def test_good():
    """The body that the next test changes is good."""
    check(read(json.dumps(GOOD).encode()))


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
