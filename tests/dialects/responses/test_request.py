"""A request for a response becomes a conversation, or a 400 that names the field."""

from __future__ import annotations

import base64
import contextlib
import json

import hypothesis
import pytest
from hypothesis import strategies as st

from app.conversation import (
    Base64Source,
    DocumentBlock,
    ImageBlock,
    Options,
    TextBlock,
    TextSource,
    ToolChoice,
    ToolDefinition,
    ToolResultBlock,
    ToolUseBlock,
    Turn,
    UrlSource,
)
from app.dialects.responses.tools import joined
from app.errors import BadRequest
from dialects.chat_completions.bodies import accepted

from .asking import BEFORE, CALL, LOOK, SEEN, ask, read, refused

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(9)).decode()
USER = {"role": "user", "content": "Hi"}


def turns(*items, **fields):
    """Return the turns of these items, which the API would take."""
    found = ask(list(items), **fields).conversation.turns
    accepted("", found)
    return found


def test_plain():
    """A text is one question, and by default the response is kept."""
    found = ask()
    assert found.conversation.turns == (Turn("user", (TextBlock("Hi"),)),)
    assert found.conversation.options == Options()
    assert (found.conversation.system, found.stream, found.stored, found.ignored) == ("", False, True, ())
    assert not ask(store=False).stored


def test_system():
    """Instructions come before what the input says as the system; only that outlives the request."""
    items = [{"role": "developer", "content": "A"}, {"role": "system", "content": "B"}, USER]
    found = ask([*items, {"role": "developer", "content": "C"}], instructions="I")
    assert found.conversation.system == "I\n\nA\n\nB"
    assert found.system == "A\n\nB"
    assert found.conversation.turns[0].content[1] == TextBlock("<system>\nC\n</system>")


def test_contents():
    """Texts, pictures and files become blocks."""
    parts = [
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
        {"type": "input_image", "image_url": "https://a/b.png"},
        {"type": "input_file", "file_data": "data:text/plain;base64,SGk=", "filename": "a.txt"},
        {"type": "input_file", "file_url": "https://a/b.pdf"},
    ]
    ((turn),) = turns({"type": "message", "role": "user", "content": parts})
    assert turn.content == (
        TextBlock("Look"),
        ImageBlock(Base64Source("image/png", PNG)),
        ImageBlock(UrlSource("https://a/b.png")),
        DocumentBlock(TextSource("Hi"), "a.txt"),
        DocumentBlock(UrlSource("https://a/b.pdf")),
    )


def test_tool_round():
    """Calls and outputs become native rounds; reasoning is accepted."""
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hm."}]}
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": []}
    pictured = {
        **SEEN,
        "output": [{"type": "input_text", "text": "blue"}, {"type": "input_image", "image_url": "https://a"}],
    }
    assert turns(USER, reasoning, said, CALL, pictured)[1:] == (
        Turn("assistant", (TextBlock("Hm."), ToolUseBlock("toolu01", "look", {"at": "sky"}))),
        Turn("user", (ToolResultBlock("toolu01", (TextBlock("blue"), ImageBlock(UrlSource("https://a")))),)),
    )


def test_previous_response():
    """What went on before is there, with the calls that wait for their results; instructions are not."""
    found = ask([SEEN], previous_response_id="resp_ab", instructions="I")
    assert found.conversation.turns[:2] == BEFORE.turns
    assert found.conversation.turns[2].content == (ToolResultBlock("toolu01", (TextBlock("blue"),)),)
    assert (found.conversation.system, found.system) == ("I\n\nBe kind.", "Be kind.")
    interrupted = ask("Hi", previous_response_id="resp_ab").conversation
    assert (interrupted.interrupted, interrupted.turns[2].content[1]) == (("toolu01",), TextBlock("Hi"))
    words = {"type": "message", "id": "msg_ab_0", "role": "assistant", "content": "Hm."}
    again = ask([words, CALL, SEEN], previous_response_id="resp_ab")
    assert (again.conversation.turns, again.ignored) == (found.conversation.turns, ("input[0]", "input[1].call_id"))
    assert refused([{**SEEN, "call_id": "other"}], previous_response_id="resp_ab").param == "input[0].call_id"
    assert refused(previous_response_id="resp_cd").code == "previous_response_not_found"


def test_item_reference():
    """An item of a response that is kept may be named instead of repeated."""
    references = [{"type": "item_reference", "id": name} for name in ("msg_ab_0", "fc_ab_1")]
    assert turns(USER, *references, SEEN)[1] == BEFORE.turns[1]
    for name in ("msg_ab_1", "msg_cd_0", "msg_1"):
        assert refused([USER, {"type": "item_reference", "id": name}]).param == "input[1].id"


@pytest.mark.parametrize(
    ("items", "param"),
    [
        ([{"role": "tool", "content": "a"}], "input[0].role"),
        ([{"type": "odd", "id": "a"}], "input[0].type"),
        ([{"type": ["message"]}], "input[0].type"),
        ([{"type": "web_search_call", "id": "a"}], "input"),
        ([{"type": "message"}], "input[0].role"),
        ([USER, CALL], "input"),
        ([USER, CALL, {**CALL, "arguments": "{}"}], "input[2].call_id"),
        ([USER, CALL, SEEN, {**SEEN, "output": "red"}], "input[3].call_id"),
        ([SEEN], "input[0].call_id"),
        ([USER, {**CALL, "name": "a b"}], "input[1].name"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], "input[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "input_image", "file_id": "a"}]}], "input[0].content[0].file_id"),
        ([{"role": "user", "content": [{"type": "input_file", "file_id": "a"}]}], "input[0].content[0].file_id"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "input[0].content[0].type"),
        (["Hi"], "input[0]"),
        ([], "input"),
        (7, "input"),
        ("  ", "input"),
    ],
)
def test_odd_inputs(items, param):
    """What cannot be used is refused by its place."""
    assert refused(items).param == param


def test_tools():
    """Functions are offered, and the choice among them holds."""
    schema = {"type": "object", "properties": {}}
    found = ask(tools=[LOOK, {**LOOK, "name": "see", "strict": True}], parallel_tool_calls=False).conversation
    assert found.tools == tuple(ToolDefinition(name, "Looks.", schema) for name in ("look", "see"))
    assert not found.options.parallel_tools
    both = [LOOK, {**LOOK, "name": "see"}]
    assert ask(tools=both, tool_choice="none").conversation.tools == ()
    assert ask(tools=both, tool_choice="required").conversation.options.tool_choice == ToolChoice(required=True)
    named = ask(tools=both, tool_choice={"type": "function", "name": "see"}).conversation
    assert named.options.tool_choice == ToolChoice(name="see")
    some = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "see"}]}
    assert [tool.name for tool in ask(tools=both, tool_choice=some).conversation.tools] == ["see"]


@pytest.mark.parametrize("kind", ["file_search", "computer", "code_interpreter", "mcp", "custom"])
def test_tools_of_openai(kind):
    """A tool that OpenAI runs is left out and named; where it is forced, the request is refused."""
    tools = [LOOK, {"type": kind}]
    found = ask(tools=tools)
    assert ([tool.name for tool in found.conversation.tools], found.ignored) == (["look"], (f"tools.{kind}",))
    some = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": kind}, {"type": "function", "name": "look"}]}
    assert len(ask(tools=tools, tool_choice=some).conversation.tools) == 1
    for choice in ({"type": kind}, {**some, "mode": "required", "tools": [{"type": kind}]}):
        assert refused(tools=tools, tool_choice=choice).param in ("tool_choice.type", "tool_choice.mode")
    assert refused(tools=tools[1:], tool_choice="required").param == "tool_choice"
    assert refused(tools=[LOOK], tool_choice={"type": kind}).param == "tool_choice.type"


def test_namespaces():
    """Functions in a namespace are offered under one name made of both, by which choices and calls are known too."""
    space = {"type": "namespace", "name": "mcp__words", "description": "Words.", "tools": [LOOK, {"type": "odd"}]}
    found = ask(tools=[LOOK, space])
    assert [tool.name for tool in found.conversation.tools] == ["look", "mcp__words__look"]
    assert (found.names, found.ignored) == ({"mcp__words__look": ("mcp__words", "look")}, ("tools.odd",))
    choice = {"type": "function", "namespace": "mcp__words", "name": "look"}
    assert ask(tools=[space], tool_choice=choice).conversation.options.tool_choice.name == "mcp__words__look"
    (_, said, _) = turns(USER, {**CALL, "namespace": "mcp__words"}, SEEN)
    assert said.content == (ToolUseBlock("toolu01", "mcp__words__look", {"at": "sky"}),)
    assert refused(tools=[space, {**LOOK, "name": "mcp__words__look"}]).param == "tools[1].name"
    assert refused(tools=[{**space, "tools": [LOOK, LOOK]}]).param == "tools[0].tools[1].name"
    assert refused(tools=[{**space, "name": "a b"}]).param == "tools[0].name"
    assert refused(tools=[{**space, "tools": [LOOK] * 1025}]).param == "tools"


def test_long_namespaces():
    """Names that would be too long together are cut, always alike and never to the same."""
    pairs = [("n" * 100, "f" * 60), ("n" * 100, "f" * 61), ("n" * 100, "f" * 60)]
    one, other, again = (joined(*pair) for pair in pairs)
    assert one == again != other
    assert [len(one), len(other)] == [128, 128]


def test_odd_tools():
    """Definitions and choices that cannot be met are refused."""
    assert refused(tools=[LOOK, LOOK]).param == "tools[1].name"
    assert refused(tools=[{"type": "function"}]).param == "tools[0].name"
    assert refused(tool_choice="required").param == "tool_choice"
    assert refused(tools=[LOOK], tool_choice={"type": "function", "name": "see"}).param == "tool_choice.name"


def test_options():
    """Limits, effort and form reach the conversation; reasoning is shown where a summary is asked for."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    form = {"type": "json_schema", "name": "a", "schema": schema, "strict": True}
    found = ask(max_output_tokens=50, reasoning={"effort": "minimal", "summary": "auto"}, text={"format": form})
    assert found.conversation.options == Options(effort="low", thinking=True, max_tokens=50, schema=schema)
    assert ask(reasoning={"effort": "high"}).conversation.options == Options(effort="high")
    assert ask(prompt_cache_key="c").conversation.affinity == "c"
    assert ask(text={"format": {"type": "json_object"}}).conversation.options.schema == {"type": "object"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "a"}}, "prompt"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "schema": {"type": "array"}}}}, "text.format.schema.type"),
        ({"max_output_tokens": -1}, "max_output_tokens"),
        ({"model": " "}, "model"),
        ({"temperature": 7}, "temperature"),
    ],
)
def test_odd_options(fields, param):
    """What cannot be done is refused."""
    assert refused(**fields).param == param


def test_wrong_endpoint():
    """A chat posted here is told where it belongs."""
    with pytest.raises(BadRequest, match="/v1/chat/completions") as caught:
        read(json.dumps({"model": "m", "messages": [USER]}).encode())
    assert caught.value.param == "input"


def test_ignored():
    """What has no effect is named; what asks for nothing is not."""
    found = ask(temperature=0.3, truncation="auto", user="a", text={"verbosity": "low"}, metadata={"a": "b"})
    assert found.ignored == ("temperature", "truncation", "user", "text.verbosity")
    assert ask(temperature=1, truncation="disabled", include=[], background=False).ignored == ()
    unknown = ask(reasoning={"effort": "deep", "summary": "long"})
    assert (unknown.conversation.options, unknown.ignored) == (Options(), ("reasoning.effort", "reasoning.summary"))


OTHER = {**CALL, "call_id": "toolu02", "arguments": "{}"}
FOUND = {**SEEN, "call_id": "toolu02", "output": "red"}
WORDS = {"type": "message", "role": "assistant", "content": "Hm."}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": []}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([CALL, WORDS, SEEN], ["Hm. 01", "=01"]),
        ([CALL, OTHER, WORDS, SEEN, FOUND], ["Hm. 01 02", "=01 =02"]),
        ([CALL, WORDS, OTHER, SEEN, FOUND], ["01 Hm. 02", "=01 =02"]),
        ([CALL, OTHER, SEEN, WORDS, FOUND], ["Hm. 01 02", "=01 =02"]),
        ([CALL, OTHER, SEEN, THOUGHT, FOUND], ["01 02", "=01 =02"]),
        ([CALL, SEEN, OTHER, FOUND], ["01", "=01", "02", "=02"]),
        ([SEEN, CALL, WORDS, OTHER, FOUND], ["01", "=01", "Hm. 02", "=02"]),
        ([SEEN, FOUND, CALL, OTHER], ["01", "=01", "02", "=02"]),
        ([CALL, USER, SEEN], ["01", "=01 Hi"]),
        ([CALL, USER], ["01", "=!01 Hi"]),
        ([CALL, OTHER, FOUND, USER], ["01 02", "=02 =!01 Hi"]),
        ([CALL, OTHER, FOUND, WORDS, USER], ["01 02", "=02 =!01", "Hm.", "Hi"]),
        ([CALL, CALL, SEEN, SEEN], ["01", "=01"]),
        ([{**WORDS, "id": "a"}, CALL, {**WORDS, "id": "a"}, SEEN], ["Hm. 01", "=01"]),
        ([CALL, USER, {**CALL, "arguments": "{}"}, SEEN], ["01", "=!01 Hi", "01-2", "=01-2"]),
    ],
)
def test_order(items, expected):
    """However calls, words and outputs are mixed, the API gets each call's result right after the calls' turn."""
    found = turns(USER, *items)
    assert [" ".join(brief(block) for block in turn.content) for turn in found[1:]] == expected


@hypothesis.given(st.lists(st.sampled_from([USER, CALL, OTHER, WORDS, SEEN, FOUND, THOUGHT]), max_size=9))
def test_any_order(items):
    """Whatever the order, the history is one that the API takes, or is refused."""
    with contextlib.suppress(BadRequest):
        turns(USER, *items)


def brief(block):
    match block:
        case TextBlock():
            return block.text
        case ToolUseBlock():
            return block.id.removeprefix("toolu")
        case ToolResultBlock():
            mark = "=!" if block.is_error else "="
            return mark + block.tool_use_id.removeprefix("toolu")


def test_calls_of_other_tools():
    """Calls of tools that ran at the client are history like others; those that ran at OpenAI are left out."""
    items = [
        {"type": "custom_tool_call", "call_id": "a", "name": "apply_patch", "input": "*** Begin"},
        {"type": "custom_tool_call_output", "call_id": "a", "output": "Done."},
        {"type": "local_shell_call", "call_id": "b", "action": {"type": "exec", "command": ["ls"]}},
        {"type": "local_shell_call_output", "call_id": "b", "output": "a.txt"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
    ]
    found = ask([USER, *items])
    calls = [block for turn in found.conversation.turns for block in turn.content if isinstance(block, ToolUseBlock)]
    assert calls == [
        ToolUseBlock("a", "apply_patch", {"input": "*** Begin"}),
        ToolUseBlock("b", "local_shell", {"type": "exec", "command": ["ls"]}),
    ]
    assert found.ignored == ("input.web_search_call",)
