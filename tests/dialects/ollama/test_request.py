"""Whatever JSON comes in Ollama's form, a request is parsed into what the API takes, or refused by name."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.claude.cli.tools import definition
from app.dialects.ollama.request import parse_chat, parse_generate
from app.errors import BadRequest
from app.standin import tool as standin_tool
from dialects.chat_completions.bodies import accepted
from dialects.mutations import changed, places, values

from .asking import CHAT, PNG, read

GENERATE = {
    "model": "sonnet",
    "prompt": "Hi",
    "system": "Be kind.",
    "images": [PNG],
    "suffix": "",
    "format": "json",
    "options": {"num_predict": -1},
    "think": True,
}
FORMS = [(parse_chat, CHAT), (parse_generate, GENERATE)]


def outcome(parse, text):
    """Return the parsed request, or the one error there may be."""
    try:
        return parse(text.encode(), str)
    except BadRequest as error:
        return error


def check(found):
    """Fail unless the API would take the conversation."""
    conversation = found.conversation
    if conversation is not None:
        accepted(conversation.system, conversation.messages)
        standin_tool.check([definition(tool) for tool in conversation.tools])
        assert msgspec.json.encode(conversation)


@pytest.mark.parametrize(("parse", "body"), FORMS)
def test_good(parse, body):
    """The bodies that the next tests change are good."""
    check(read(parse, body))


@pytest.mark.parametrize(("parse", "body"), FORMS)
@given(st.data())
def test_one_odd_value(parse, body, data):
    """Anything at any place of a good body is taken, or a 400 that names a field."""
    path, value = data.draw(st.sampled_from(places(body)[1:])), data.draw(values)
    found = outcome(parse, json.dumps(changed(body, path, value)))
    if isinstance(found, BadRequest):
        assert found.param
    else:
        check(found)


@pytest.mark.parametrize(("parse", "body"), FORMS)
def test_deep(parse, body):
    """No depth of nesting, at any place, raises anything but a 400."""
    for path in places(body):
        for text in ('{"a":' * 150 + "1" + "}" * 150, "[" * 900 + "]" * 900):
            marked = json.dumps(changed(body, path, "HERE")).replace('"HERE"', text)
            found = outcome(parse, marked)
            if not isinstance(found, BadRequest):
                check(found)


@pytest.mark.parametrize(
    ("think", "effort", "thinking", "ignored"),
    [
        (None, None, False, False),
        (False, None, False, False),
        (True, None, True, False),
        ("low", "low", True, False),
        ("max", "max", True, False),
        ("a lot", None, False, True),
    ],
)
def test_think(think, effort, thinking, ignored):
    """Thinking is shown where it is asked for, with as much effort as is asked for."""
    found = read(parse_generate, {**GENERATE, "think": think})
    options = found.conversation.options
    assert (options.effort, options.thinking, "think" in found.ignored) == (effort, thinking, ignored)


@pytest.mark.parametrize(("given", "most"), [(-1, None), (-2, None), (0, None), (1, 1), (7.0, 7)])
def test_bound(given, most):
    """Only a positive number bounds the answer."""
    assert read(parse_generate, {**GENERATE, "options": {"num_predict": given}}).conversation.options.max_tokens == most


@pytest.mark.parametrize("alive", [0, "0", "0s"])
def test_unload(alive):
    """Without words a request only loads the model, or unloads it."""
    found = read(parse_generate, {"model": "sonnet", "keep_alive": alive})
    assert (found.conversation, found.unloads) == (None, True)
    assert read(parse_chat, {"model": "sonnet"}).unloads is False
