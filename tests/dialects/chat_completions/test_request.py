"""A request body becomes a checked request, or an error that names the field."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dialects.chat_completions.request import parse
from app.errors import BadRequest
from dialects.context import context

from .bodies import histories

HI = [{"role": "user", "content": "Hi"}]


def parsed(body):
    return parse(body if isinstance(body, bytes) else json.dumps(body).encode(), context(lambda name: f"<{name}>"))


def request(**fields):
    return parsed({"model": "gpt-5.4", "messages": HI, **fields})


def test_least():
    """Model and messages are enough; the model is what the resolver says."""
    found = request()
    assert found.conversation.model == "<gpt-5.4>"
    assert (found.streams, found.include_usage, found.ignored) == (False, False, ())


@pytest.mark.parametrize(
    ("fields", "stream", "usage"),
    [
        ({"stream": True}, True, False),
        ({"stream": None, "stream_options": None}, False, False),
        ({"stream": True, "stream_options": {"include_usage": True}}, True, True),
        ({"stream": True, "stream_options": {"include_usage": None, "include_obfuscation": True}}, True, False),
        ({"stream": False, "stream_options": {"include_usage": True}}, False, False),
    ],
)
def test_stream(fields, stream, usage):
    """Stream options count only for a stream, and unknown ones are no error."""
    found = request(**fields)
    assert (found.streams, found.include_usage) == (stream, usage)
    assert found.ignored == ()


def test_ignored():
    """What has no effect is named; what asks for nothing is not."""
    found = request(
        temperature=0.5, seed=-9007199254740991, logit_bias={"foo": 0}, user="me", n=1, logprobs=False, top_p=None
    )
    assert set(found.ignored) == {"temperature", "seed", "logit_bias", "user"}


REFUSED = {
    "not JSON": (b"{", None),
    "nothing": (b"", None),
    "no UTF-8": (b'{"model":"\xff"}', None),
    "a list": (b"[]", None),
    "too deep": (b"[" * 100_000, None),
    "no model": ({"messages": HI}, "model"),
    "a model that is no text": ({"model": 7, "messages": HI}, "model"),
    "a blank model": ({"model": " ", "messages": HI}, "model"),
    "no messages": ({"model": "m"}, "messages"),
    "messages that are null": ({"model": "m", "messages": None}, "messages"),
    "messages that are text": ({"model": "m", "messages": "Hi"}, "messages"),
    "empty messages": ({"model": "m", "messages": []}, "messages"),
    "a message without a role": ({"model": "m", "messages": [{"content": "Hi"}]}, "messages[0].role"),
    "a stream of 1": ({"model": "m", "messages": HI, "stream": 1}, "stream"),
    "stream options that are text": ({"model": "m", "messages": HI, "stream_options": "x"}, "stream_options"),
    "odd stream options": (
        {"model": "m", "messages": HI, "stream_options": {"include_usage": 3}},
        "stream_options.include_usage",
    ),
}


@pytest.mark.parametrize(("body", "param"), REFUSED.values(), ids=REFUSED)
def test_refused(body, param):
    """Each breach of the contract is a 400 that names the field."""
    with pytest.raises(BadRequest) as caught:
        parsed(body)
    assert (caught.value.status, caught.value.param) == (400, param)
    assert caught.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
KEYS = st.sampled_from(
    "model messages stream stream_options tools tool_choice functions n stop seed max_tokens max_completion_tokens "
    "response_format reasoning_effort reasoning parallel_tool_calls modalities logprobs temperature user".split()
)


@given(st.dictionaries(KEYS, JSON), histories)
def test_anything_around_messages(fields, messages):
    """Odd values beside good messages are taken, or refused by name."""
    try:
        found = parsed({**fields, "model": "m", "messages": messages})
    except BadRequest as error:
        named = error.param
    else:
        named = "nothing"
        assert found.conversation.messages[-1].role == "user"
        assert set(found.ignored) <= set(fields)
    assert named
