"""Functions, alone and in namespaces, and the choice among them."""

from __future__ import annotations

import pytest

from app.conversation import (
    ToolChoice,
    ToolDefinition,
    ToolUseBlock,
)
from app.dialects.responses.tools import joined

from .asking import CALL, LOOK, SEEN, USER, ask, messages_of, refused


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
    (_, said, _) = messages_of(USER, {**CALL, "namespace": "mcp__words"}, SEEN)
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
