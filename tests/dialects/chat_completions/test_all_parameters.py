"""The bodies of the official clients' own tests, with every parameter at once."""

from __future__ import annotations

import copy

import pytest

from app.conversation import Options, ToolChoice

from .asking import ask, refused

FUNCTION = {"name": "name", "description": "description", "parameters": {"foo": "bar"}}
TOOL = {"type": "function", "function": {**FUNCTION, "strict": True}}
EVERYTHING = {
    "messages": [{"content": "string", "role": "developer", "name": "name"}],
    "model": "gpt-5.4",
    "audio": {"format": "wav", "voice": "string"},
    "frequency_penalty": -2,
    "function_call": "none",
    "functions": [FUNCTION],
    "logit_bias": {"foo": 0},
    "logprobs": True,
    "max_completion_tokens": 0,
    "max_tokens": 0,
    "metadata": {"foo": "string"},
    "modalities": ["text"],
    "n": 1,
    "parallel_tool_calls": True,
    "prediction": {"content": "string", "type": "content"},
    "presence_penalty": -2,
    "prompt_cache_key": "prompt-cache-key-1234",
    "prompt_cache_retention": "in_memory",
    "reasoning_effort": "none",
    "response_format": {"type": "text"},
    "safety_identifier": "safety-identifier-1234",
    "seed": -9007199254740991,
    "service_tier": "auto",
    "stop": "\n",
    "store": True,
    "stream": False,
    "stream_options": {"include_obfuscation": True, "include_usage": True},
    "temperature": 1,
    "tool_choice": "none",
    "tools": [TOOL],
    "top_logprobs": 0,
    "top_p": 1,
    "user": "user-1234",
    "verbosity": "low",
    "web_search_options": {
        "search_context_size": "low",
        "user_location": {
            "approximate": {"city": "city", "country": "country", "region": "region", "timezone": "timezone"},
            "type": "approximate",
        },
    },
}
IGNORED = {
    "audio", "frequency_penalty", "functions", "logit_bias", "logprobs", "metadata", "prediction", "presence_penalty",
    "prompt_cache_retention", "safety_identifier", "seed", "store", "user", "verbosity",
    "web_search_options",
}  # fmt: skip


def test_everything():
    """openai-python's own body is taken whole; what has no effect is named, and nothing else."""
    found = ask(**EVERYTHING)
    assert found.conversation.options == Options(effort="low", stop=("\n",), tool_choice=ToolChoice(forbidden=True))
    assert found.conversation.tools == ()
    assert (found.n, found.streams, found.include_usage) == (1, False, False)
    assert set(found.ignored) == IGNORED


def test_everything_streamed():
    """So is its streaming twin."""
    found = ask(**{**EVERYTHING, "stream": True})
    assert (found.streams, found.include_usage) == (True, True)


@pytest.mark.parametrize("choice", ["auto", "required", {"type": "function", "function": {"name": "name"}}])
def test_everything_with_tools(choice):
    """With the tools in play, they rule over the functions beside them."""
    found = ask(**{**EVERYTHING, "tool_choice": choice})
    assert [tool.name for tool in found.conversation.tools] == ["name"]
    assert found.conversation.options.tool_choice != ToolChoice() or choice == "auto"


def test_earlier_editions():
    """Earlier clients' bodies repeat one tool three times, unused, and ask for any object."""
    found = ask(**{**EVERYTHING, "tools": [TOOL] * 3, "response_format": {"type": "json_object"}, "stop": "string"})
    assert found.conversation.options.schema == {"type": "object"}
    assert refused(**{**EVERYTHING, "tools": [TOOL] * 3, "tool_choice": "auto"}).param == "tools[1].function.name"


def test_spoken():
    """The one thing in it that is refused is to be spoken to."""
    assert refused(**{**EVERYTHING, "modalities": ["text", "audio"]}).param == "modalities"


@pytest.mark.parametrize("name", sorted(set(EVERYTHING) - {"messages", "model"}))
def test_each_may_be_null(name):
    """Null, which typed clients send for what is not set, is the same as absent."""
    without = copy.deepcopy(EVERYTHING)
    del without[name]
    assert ask(**{**EVERYTHING, name: None}) == ask(**without)
