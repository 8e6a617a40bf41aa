"""A completion request becomes a conversation for each choice, or a 400 that names the field."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.dialects.completions.request import SYSTEM, parse
from app.errors import BadRequest
from dialects.context import context

from .asking import ask, refused

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("model", "prompt", "n", "echo", "stream", "stream_options", "max_tokens", "stop", "suffix", "logprobs")


def texts_of(parsed):
    return [[block.text for message in c.messages for block in message.content] for c in parsed.conversations]


def test_prompt():
    """A prompt is one message, verbatim, under a system prompt that asks to write on; nothing else is set."""
    parsed = ask(" def f():\n ")
    (conversation,) = parsed.conversations
    assert texts_of(parsed) == [[" def f():\n "]]
    assert conversation.messages[0].role == "user"
    assert (conversation.model, conversation.system, conversation.tools) == ("m", SYSTEM, ())
    assert (conversation.options.max_tokens, conversation.options.stop) == (None, ())
    assert (parsed.echoes, parsed.streams, parsed.include_usage, parsed.ignored) == (("",), False, False, ())


def test_prompts_and_n():
    """Each prompt has its `n` choices, side by side, in the order of the prompts."""
    parsed = ask(["a", "b"], n=2, echo=True)
    assert texts_of(parsed) == [["a"], ["a"], ["b"], ["b"]]
    assert parsed.echoes == ("a", "a", "b", "b")


@pytest.mark.parametrize(("prompt", "n"), [(["a"] * 8, 1), ("a", 8), (["a", "b"], 4)])
def test_most_choices(prompt, n):
    """Eight choices are the most, however they come about."""
    assert len(ask(prompt, n=n).conversations) == 8


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ["a"] * 9}, "prompt"),
        ({"prompt": ["a"] * 3, "n": 3}, "n"),
        ({"n": 9}, "n"),
        ({"n": 0}, "n"),
        ({"prompt": None}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": {}}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "\n\t "}, "prompt"),
        ({"prompt": ["a", " "]}, "prompt[1]"),
        ({"prompt": ["a", None]}, "prompt[1]"),
        ({"prompt": ["a", True]}, "prompt[1]"),
        ({"model": None}, "model"),
        ({"model": " "}, "model"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"stop": 5}, "stop"),
        ({"stop": ["a", 5]}, "stop[1]"),
        ({"stop": ["a"] * 17}, "stop"),
        ({"stream": "yes"}, "stream"),
        ({"echo": 2}, "echo"),
        ({"temperature": 3}, "temperature"),
    ],
    ids=str,
)
def test_refused(fields, param):
    """What cannot be served is refused, and the field named."""
    assert refused(**fields).param == param


@pytest.mark.parametrize("prompt", [[1, 2, 3], list(range(50)), [[1, 2], [3]], ["a", [1]]], ids=str)
def test_tokens(prompt):
    """Prompts in tokens are refused, and the error says that it is because they are tokens."""
    assert "tokens" in refused(prompt).message


@pytest.mark.parametrize(("given", "used"), [(None, None), (0, None), (16, 16)])
def test_max_tokens(given, used):
    """Unset, null and 0 all mean no limit; OpenAI's default of 16 is not taken over."""
    assert ask(max_tokens=given).conversations[0].options.max_tokens == used


@pytest.mark.parametrize(("given", "used"), [(None, ()), ("", ()), ("\n", ("\n",)), (["a", "", "b"], ("a", "b"))])
def test_stop(given, used):
    """Stop texts are taken as one string or several."""
    assert ask(stop=given).conversations[0].options.stop == used


def test_stream_options():
    """Usage is asked for in a stream, and only there."""
    asking = {"stream_options": {"include_usage": True}}
    assert ask(stream=True, **asking).include_usage
    assert not ask(**asking).include_usage
    assert not ask(stream=True).include_usage


def test_ignored():
    """What has no effect is named, unless it asks for nothing."""
    assert ask(suffix="}", best_of=3, logprobs=0, temperature=0, seed=1).ignored == (
        "suffix",
        "best_of",
        "logprobs",
        "temperature",
        "seed",
    )
    assert ask(suffix="", best_of=1, logprobs=None, temperature=1, presence_penalty=0).ignored == ()


def test_chat_body():
    """A body for the other endpoint is told where to go."""
    with pytest.raises(BadRequest, match="/v1/chat/completions"):
        parse(b'{"model": "m", "messages": []}', context())


# On a fresh checkout hypothesis first makes its table of characters, which takes seconds.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(NAMES), values))
def test_any_fields(fields):
    """Any JSON either parses or is refused; nothing else happens."""
    try:
        parsed = parse(json.dumps({"model": "m", "prompt": "Once", **fields}).encode(), context())
    except BadRequest:
        return
    assert 1 <= len(parsed.conversations) == len(parsed.echoes) <= 8
