"""Limits, stops, effort and the number of answers."""

from __future__ import annotations

import pytest

from app.conversation import Options
from app.dialects.chat_completions.request import InputInstead, parse
from dialects.chat_completions.asking import ask, refused
from dialects.context import context


def options_of(**fields):
    return ask(**fields).conversation.options


def test_defaults():
    """A plain request, or one whose fields are all null, leaves every choice to the CLI and wants one answer."""
    names = (
        "n tools tool_choice parallel_tool_calls functions function_call response_format max_completion_tokens "
        "max_tokens stop reasoning_effort reasoning modalities audio temperature top_p stream stream_options seed user"
    )
    for found in (ask(), ask(**dict.fromkeys(names.split()))):
        assert (found.conversation.options, found.n, found.ignored) == (Options(), 1, ())


@pytest.mark.parametrize(
    ("new", "old", "limit"),
    [
        (5, None, 5),
        (None, 7, 7),
        (5, 7, 5),
        (0, 7, 7),
        (5, 0, 5),
        (0, 0, None),
        (None, None, None),
        (2**31 - 1, None, 2**31 - 1),
    ],
)
def test_max_tokens(new, old, limit):
    """The new name wins over the old; 0 and null are no limit."""
    assert options_of(max_completion_tokens=new, max_tokens=old).max_tokens == limit


@pytest.mark.parametrize(
    ("given", "stops"),
    [
        ("END", ("END",)),
        ("\n", ("\n",)),
        ("", ()),
        ([], ()),
        (["a", "", " b"], ("a", " b")),
        (["x"] * 16, ("x",) * 16),
    ],
)
def test_stop(given, stops):
    """Stops are taken as they are, white space included, without the empty ones."""
    assert options_of(stop=given).stop == stops


@pytest.mark.parametrize(
    ("word", "effort", "thinking"),
    [
        ("none", "low", False),
        ("minimal", "low", True),
        ("low", "low", True),
        ("medium", "medium", True),
        ("high", "high", True),
        ("xhigh", "xhigh", True),
        ("max", "max", True),
    ],
)
def test_effort(word, effort, thinking):
    """Each of OpenAI's words is one of the CLI's; all but none ask to see the thinking."""
    for found in (options_of(reasoning_effort=word), options_of(reasoning={"effort": word, "summary": "auto"})):
        assert (found.effort, found.thinking) == (effort, thinking)


def test_two_efforts():
    """The flat form rules, and the other is named as ignored; so is one that says nothing of effort."""
    found = ask(reasoning_effort="high", reasoning={"effort": "low"})
    assert (found.conversation.options.effort, found.ignored) == ("high", ("reasoning",))
    assert ask(reasoning={"summary": "auto"}).ignored == ("reasoning",)


@pytest.mark.parametrize("number", [1, 3, 8])
def test_n(number):
    """Up to eight answers may be asked for."""
    found = ask(n=number)
    assert (found.n, found.ignored) == (number, ())


REFUSED = {
    "n": [0, 9, -1, 1.5, "2", True, 10**30],
    "max_tokens": [-1, 1.5, "5", True, 2**31, 10**30, [5]],
    "max_completion_tokens": [-1, 0.5, "5"],
    "temperature": [-0.1, 2.1, "1", 10**400, True],
    "top_p": [-0.1, 1.1, []],
    "stop": [7, {"a": 1}, True, ["x"] * 17],
    "reasoning_effort": [3],
    "reasoning": ["high", 3],
    "modalities": ["audio", ["audio"], ["text", "audio"]],
    "parallel_tool_calls": [1, "false"],
    "tools": [{}, "x"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in REFUSED.items() for value in values], ids=str
)
def test_refused(name, value):
    """A value out of range or of another type is a 400 that names the field."""
    assert refused(**{name: value}).param == name


def test_refused_inside():
    """Where a field has parts, the part is named."""
    assert refused(stop=["a", 7]).param == "stop[1]"
    assert refused(reasoning={"effort": 7}).param == "reasoning.effort"


@pytest.mark.parametrize("word", ["extreme", "", "HIGH"])
def test_unknown_effort(word):
    """An effort that this server does not know is the default, and named."""
    flat, inner = ask(reasoning_effort=word), ask(reasoning={"effort": word})
    assert (flat.conversation.options, flat.ignored) == (Options(), ("reasoning_effort",))
    assert (inner.conversation.options, inner.ignored) == (Options(), ("reasoning.effort",))


def test_responses_body():
    """A body of the Responses API is known as such."""
    with pytest.raises(InputInstead, match="takes `messages`") as caught:
        parse(b'{"model": "m", "messages": null, "input": "Hi"}', context())
    assert caught.value.param == "messages"
    assert ask(input="Hi").ignored == ("input",)
