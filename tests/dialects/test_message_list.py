"""Calls and results of a history: paired as the API demands, whatever clients do with ids and arguments."""

from __future__ import annotations

import pytest

from app.conversation import TextBlock, ToolResultBlock, ToolUseBlock
from app.dialects.chat_completions.messages import system_and_messages
from app.errors import BadRequest
from dialects.chat_completions.bodies import accepted


def call(call_id="call_1", name="look", arguments='{"at": "sky"}'):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def asks(*calls, content=None):
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def answers(call_id="call_1", content="blue"):
    return {"role": "tool", "tool_call_id": call_id, "content": content}


HI = {"role": "user", "content": "Hi"}


def blocks_of(*messages):
    """Return the blocks of all messages, which the API would take."""
    system, listed = system_and_messages([HI, *messages])
    accepted(system, listed)
    return [block for message in listed for block in message.content][1:]


def test_round():
    """A call and its result become the API's blocks, text before the call, and more text after the result."""
    assert blocks_of(asks(call(), content="Hm."), answers(), {"role": "user", "content": "So?"}) == [
        TextBlock("Hm."),
        ToolUseBlock("call_1", "look", {"at": "sky"}),
        ToolResultBlock("call_1", (TextBlock("blue"),)),
        TextBlock("So?"),
    ]


def test_parallel():
    """Results may come in another order than the calls."""
    blocks = blocks_of(asks(call("a"), call("b")), answers("b", "2"), answers("a", "1"))
    assert [block.tool_use_id for block in blocks[2:]] == ["b", "a"]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("call_1", "call1"), ("toolu_01-Ab", "toolu01Ab"), ("call1", "call_1"), ("functions.look:0", "functions.look:0")],
)
def test_ids_without_punctuation(asked, answered):
    """A client that strips or adds punctuation still answers the call, under one id the API takes."""
    use, result = blocks_of(asks(call(asked)), answers(answered))
    assert use.id == result.tool_use_id


def test_ids_used_again():
    """Ids that start from one in each round are made unique, each result with its own call."""
    first = (asks(call("call_0", arguments='{"n": 1}')), answers("call_0", "one"))
    second = (asks(call("call_0", arguments='{"n": 2}')), answers("call_0", "two"))
    use, result, again, last = blocks_of(*first, *second)
    assert (use.id, again.id) == (result.tool_use_id, last.tool_use_id)
    assert use.id != again.id
    assert (last.content[0].text, again.input) == ("two", {"n": 2})


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ('{"at": "sky"}', {"at": "sky"}),
        ({"at": "sky"}, {"at": "sky"}),
        ("", {}),
        (None, {}),
        ("[1, 2]", {"arguments": [1, 2]}),
        ('"sky"', {"arguments": "sky"}),
        ('{"at": "sk', {"arguments": '{"at": "sk'}),
        ("[" * 5000, {"arguments": "[" * 5000}),
        ("[" * 300 + "]" * 300, {"arguments": "[" * 300 + "]" * 300}),
        (7, {"arguments": 7}),
    ],
)
def test_arguments(given, value):
    """Arguments become the object the API wants, and what another model garbled is kept."""
    assert blocks_of(asks(call(arguments=given)), answers())[0].input == value


def test_empty_result():
    """A tool may have nothing to say."""
    assert blocks_of(asks(call()), answers(content=""))[1] == ToolResultBlock("call_1", ())


def test_old_functions():
    """The old `function_call` and its `function` message are a round like others, also twice."""
    ask = {"role": "assistant", "content": None, "function_call": {"name": "look", "arguments": "{}"}}
    answer = {"role": "function", "name": "look", "content": "blue"}
    use, result, again, last = blocks_of(ask, answer, ask, answer)
    assert (use.id, again.id) == (result.tool_use_id, last.tool_use_id)
    assert use.id != again.id


REFUSED = {
    "a result without a call": ([answers()], "messages[1].tool_call_id"),
    "a result without an id": ([asks(call()), {"role": "tool", "content": "x"}], "messages[2].tool_call_id"),
    "a result for another call": ([asks(call()), answers("call_2")], "messages[2].tool_call_id"),
    "two results for a call": ([asks(call()), answers(), answers(content="red")], "messages[3].tool_call_id"),
    "a result missing at the end": ([asks(call())], "messages"),
    "one of two missing at the end": ([asks(call("a"), call("b")), answers("a")], "messages"),
    "two calls of one id": ([asks(call(), call(name="see")), answers()], "messages[1].tool_calls[1].id"),
    "calls that are no list": ([asks() | {"tool_calls": {"a": 1}}], "messages[1].tool_calls"),
    "a call that is no object": ([asks("look")], "messages[1].tool_calls[0]"),
    "a call without a name": ([asks({"id": "a", "function": {}})], "messages[1].tool_calls[0].function.name"),
    "a name the API refuses": ([asks(call(name="look up\n"))], "messages[1].tool_calls[0].function.name"),
    "a call without an id": ([asks(call(None))], "messages[1].tool_calls[0].id"),
    "an id of punctuation": ([asks(call("__"))], "messages[1].tool_calls[0].id"),
    "an old call that is no object": ([{"role": "assistant", "function_call": "x"}], "messages[1].function_call"),
}


@pytest.mark.parametrize(("messages", "param"), REFUSED.values(), ids=REFUSED)
def test_refused(messages, param):
    """A history whose calls and results do not fit is refused, and the error names the place."""
    with pytest.raises(BadRequest) as caught:
        system_and_messages([HI, *messages])
    assert caught.value.param == param


def test_missing_results_are_named():
    """Whoever forgot a result learns which."""
    with pytest.raises(BadRequest, match="lack a tool message for: b, c"):
        system_and_messages([HI, asks(call("a"), call("b"), call("c")), answers("a")])


def test_two_results_are_told():
    """Whoever sent two results for one call learns that this is what is wrong."""
    with pytest.raises(BadRequest, match="'call_1' has another result already; a tool call has one"):
        system_and_messages([HI, asks(call()), answers(), answers(content="red")])


GONE = "[The tool was interrupted; it gave no result.]"
MENDED = {
    "interrupted": ([asks(call("a")), HI], ["a", ("a", GONE), "Hi"]),
    "one of two interrupted": (
        [asks(call("a"), call("b")), answers("b", "2"), HI],
        ["a", "b", ("b", "2"), ("a", GONE), "Hi"],
    ),
    "interrupted by more words": ([asks(call("a")), asks(content="No."), HI], ["No.", "a", ("a", GONE), "Hi"]),
    "a late result": ([asks(call("a")), HI, answers("a", "1")], ["a", ("a", "1"), "Hi"]),
    "a very late result": (
        [asks(call("a")), HI, asks(content="Wait."), HI, answers("a", "1")],
        ["a", ("a", "1"), "Hi", "Wait.", "Hi"],
    ),
    "twice": ([asks(call("a"), call("a")), answers("a", "1"), answers("a", "1")], ["a", ("a", "1")]),
    "interrupted, and the same again": (
        [asks(call("a")), HI, asks(call("a")), answers("a", "1")],
        ["a", ("a", GONE), "Hi", "a-2", ("a-2", "1")],
    ),
}


@pytest.mark.parametrize(("messages", "expected"), MENDED.values(), ids=MENDED)
def test_mended(messages, expected):
    """What the API would refuse, and whose sense is plain, is told so that the API takes it."""
    assert [brief(block) for block in blocks_of(*messages)] == expected


def brief(block):
    match block:
        case TextBlock():
            return block.text
        case ToolUseBlock():
            return block.id
        case ToolResultBlock():
            return block.tool_use_id, block.content[0].text
