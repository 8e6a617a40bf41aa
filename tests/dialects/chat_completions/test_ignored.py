"""What has no effect is named, exactly, in words that a header can hold."""

from __future__ import annotations

import pytest

from .asking import ask

NEUTRAL = {
    "temperature": [1, 1.0, None],
    "top_p": [1],
    "presence_penalty": [0, 0.0],
    "frequency_penalty": [0],
    "logit_bias": [{}],
    "logprobs": [False],
    "top_logprobs": [0],
    "metadata": [{}],
    "service_tier": ["auto", "default"],
    "store": [False],
    "verbosity": ["medium"],
    "modalities": [["text"]],
    "tools": [[]],
    "functions": [[]],
    "function_call": ["none", "auto"],
    "stream": [False],
    "max_tokens": [0],
}
NAMED = {
    "temperature": [0, 0.7, 2],
    "top_p": [0.5],
    "presence_penalty": [-2],
    "frequency_penalty": [1.5],
    "logit_bias": [{"foo": 0}],
    "logprobs": [True],
    "top_logprobs": [3],
    "metadata": [{"foo": "string"}],
    "service_tier": ["flex"],
    "store": [True],
    "verbosity": ["low"],
    "seed": [0, -9007199254740991],
    "user": ["user-1234"],
    "safety_identifier": ["x"],
    "prediction": [{"type": "content", "content": "string"}],
    "web_search_options": [{}],
    "audio": [{"format": "wav", "voice": "string"}],
    "modalities": [["smell"], []],
    "never-heard-of": [1],
}


def pairs(table):
    return [(name, value) for name, values in table.items() for value in values]


@pytest.mark.parametrize(("name", "value"), pairs(NEUTRAL), ids=str)
def test_neutral(name, value):
    """A value that asks for what happens anyway is not named."""
    assert ask(**{name: value}).ignored == ()


@pytest.mark.parametrize(("name", "value"), pairs(NAMED), ids=str)
def test_named(name, value):
    """A value that asks for more is named."""
    assert ask(**{name: value}).ignored == (name,)


def test_overruled_limit():
    """The old name of the limit is named where the new one overrules it, not where both say the same."""
    assert ask(max_completion_tokens=5, max_tokens=7).ignored == ("max_tokens",)
    assert ask(max_completion_tokens=5, max_tokens=5).ignored == ()
    assert ask(max_completion_tokens=0, max_tokens=7).ignored == ()
