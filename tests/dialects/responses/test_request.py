"""A request for a response becomes a conversation, or a 400 that names the field."""

from __future__ import annotations

import base64
import json

import pytest

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
    assert refused("Hi", previous_response_id="resp_ab").param == "input[0]"
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
        ([{"type": "web_search_call", "id": "a"}], "input[0].type"),
        ([{"type": "message"}], "input[0].role"),
        ([USER, CALL], "input"),
        ([USER, CALL, USER], "input[2]"),
        ([USER, CALL, CALL], "input[2].call_id"),
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
    """A tool that OpenAI runs is refused by its name, as a choice too."""
    error = refused(tools=[LOOK, {"type": kind}])
    assert error.param == "tools[1].type"
    assert kind in error.message
    assert refused(tools=[LOOK], tool_choice={"type": kind}).param == "tool_choice.type"


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
        ({"reasoning": {"effort": "deep"}}, "reasoning.effort"),
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
