"""JSON as clients send it."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dialects.chat_completions.request import parse
from app.errors import BadRequest
from dialects.context import context


def parsed(body):
    return parse(body if isinstance(body, bytes) else json.dumps(body).encode(), context(lambda name: f"<{name}>"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
KEYS = st.sampled_from(
    "model messages stream stream_options tools tool_choice functions n stop seed max_tokens max_completion_tokens "
    "response_format reasoning_effort reasoning parallel_tool_calls modalities logprobs temperature user".split()
)


@given(st.binary(max_size=40) | JSON | st.dictionaries(KEYS, JSON))
def test_anything(body):
    """No body raises anything but BadRequest."""
    with contextlib.suppress(BadRequest):
        parsed(body)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"cut \ud83d", "cut \ufffd"),
        (r"\ude00 cut", "\ufffd cut"),
        (r"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\\ud83d", r"\ud83d"),
    ],
)
def test_half_a_character(written, read):
    """Half of an emoji, as JavaScript writes it after cutting a text, does not refuse the request it stands in."""
    body = '{"model": "m", "messages": [{"role": "user", "content": "a WRITTEN"}]}'.replace("WRITTEN", written)
    assert parse(body.encode(), context()).conversation.question.content[0].text == "a " + read
