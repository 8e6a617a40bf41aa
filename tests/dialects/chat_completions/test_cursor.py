"""Anthropic's shapes in a chat completion, as Cursor's agent sends them to Claude models."""

from __future__ import annotations

import base64

import pytest

from app.conversation import (
    Base64Source,
    DocumentBlock,
    ImageBlock,
    Message,
    TextBlock,
    TextSource,
    ThinkingBlock,
    ToolChoice,
    ToolDefinition,
    ToolResultBlock,
    ToolUseBlock,
)

from .asking import HI, ask, refused, tool
from .bodies import accepted

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(9)).decode()
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
READ = {"name": "read_file", "description": "Reads a file.", "input_schema": SCHEMA}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
PAGE = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Page"}, "title": "T"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "read_file", "input": {"path": "a.txt"}}
SEEN = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "seen"}, PICTURE]}


def test_tools():
    """Tools in Anthropic's form, in the Responses API's and in the endpoint's own are one list of functions."""
    flat = {"type": "function", "name": "flat", "parameters": SCHEMA}
    named = {"type": "custom", **READ, "name": "other"}
    found = ask(tools=[READ, tool("look"), flat, named])
    assert [each.name for each in found.conversation.tools] == ["read_file", "look", "flat", "other"]
    assert found.conversation.tools[0] == ToolDefinition("read_file", "Reads a file.", SCHEMA)
    assert found.ignored == ()
    assert refused(tools=[READ, READ]).param == "tools[1].name"


@pytest.mark.parametrize(
    ("choice", "offered", "chosen", "parallel"),
    [
        ({"type": "auto"}, 2, ToolChoice(), True),
        ({"type": "auto", "disable_parallel_tool_use": True}, 2, ToolChoice(), False),
        ({"type": "any"}, 2, ToolChoice(required=True), True),
        ({"type": "tool", "name": "look"}, 2, ToolChoice(name="look"), True),
        ({"type": "function", "name": "look"}, 2, ToolChoice(name="look"), True),
        ({"type": "none"}, 0, ToolChoice(forbidden=True), True),
    ],
)
def test_tool_choice(choice, offered, chosen, parallel):
    """A choice in Anthropic's form decides as it does at Anthropic's own endpoint."""
    found = ask(tools=[READ, tool("look")], tool_choice=choice).conversation
    assert (len(found.tools), found.options.tool_choice, found.options.parallel_tools) == (offered, chosen, parallel)
    assert refused(tools=[READ], tool_choice={"type": "tool", "name": "a"}).param == "tool_choice.name"


def test_messages():
    """Blocks of calls, results, thoughts, pictures and documents are native; `system` at the top is the prompt."""
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    said = {"role": "assistant", "content": [thought, {"type": "text", "text": "I look."}, CALL]}
    asked = {"role": "user", "content": [SEEN, {"type": "text", "text": "So?"}, PAGE]}
    system = [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}]
    found = ask([{"role": "system", "content": "Be brief."}, HI, said, asked], system=system, tools=[READ])
    assert (found.conversation.system, found.ignored) == ("Be kind.\n\nBe brief.", ())
    accepted(found.conversation.system, found.conversation.messages)
    picture = ImageBlock(Base64Source("image/png", PNG))
    assert found.conversation.messages[1:] == (
        Message(
            "assistant",
            (
                ThinkingBlock("Hm.", "c2ln"),
                TextBlock("I look."),
                ToolUseBlock("toolu_1", "read_file", {"path": "a.txt"}),
            ),
        ),
        Message(
            "user",
            (
                ToolResultBlock("toolu_1", (TextBlock("seen"), picture)),
                TextBlock("So?"),
                DocumentBlock(TextSource("Page"), "T"),
            ),
        ),
    )
    assert ask([{"role": "user", "content": [PICTURE]}]).conversation.messages[0].content == (picture,)


def test_odd_blocks():
    """A block that cannot be used is refused by its place, and so is a result without its call."""
    wrong = {"role": "assistant", "content": [{**CALL, "name": "a b"}]}
    assert refused([HI, wrong]).param == "messages[1].content[0].name"
    assert refused([{"role": "user", "content": [SEEN]}]).param == "messages[0].content[0].tool_use_id"
    assert refused([{"role": "user", "content": [{"type": "image"}]}]).param == "messages[0].content[0].source"
    assert refused([HI], system=7).param == "system"


@pytest.mark.parametrize("kind", ["custom", "web_search_preview", "mcp", "file_search"])
def test_tools_that_are_not_offered(kind):
    """A tool of another kind is left out and named; where it is forced, the request is refused."""
    other = {"type": kind, "custom": {"name": "a"}}
    found = ask(tools=[other, tool("look")])
    assert [each.name for each in found.conversation.tools] == ["look"]
    wanted = ("WebSearch",) if kind.startswith("web_search") else ()
    assert found.conversation.own_tools == wanted
    assert found.ignored == (() if wanted else (f"tools.{kind}",))
    if not wanted:
        assert refused(tools=[other, tool("look")], tool_choice={"type": kind}).param == "tool_choice.type"
    assert refused(tools=[other], tool_choice="required").param == "tool_choice"
