"""Tools, limits, effort, thinking and form of an answer in Anthropic's words."""

from __future__ import annotations

import pytest

from app.conversation import Options, ToolChoice, ToolDefinition

from .asking import LOOK, ask, refused


def test_tools():
    """The client's own tools are offered with their schemas."""
    found = ask(tools=[LOOK, {**LOOK, "name": "see", "type": "custom", "cache_control": {"type": "ephemeral"}}])
    schema = {"type": "object", "properties": {}}
    assert found.conversation.tools == (
        ToolDefinition("look", "Looks.", schema),
        ToolDefinition("see", "Looks.", schema),
    )


@pytest.mark.parametrize(
    "kind", ["web_search_20250305", "bash_20250124", "text_editor_20250728", "computer_toolset_20260801"]
)
def test_tools_of_anthropic(kind):
    """A tool that Anthropic runs, or that Claude knows without a schema, is left out by its name, unless forced."""
    tools = [{"type": kind, "name": "a"}, LOOK]
    found = ask(tools=tools)
    assert [tool.name for tool in found.conversation.tools] == ["look"]
    error = refused(tools=tools, tool_choice={"type": "tool", "name": "a"})
    assert (error.param, "does not run" in error.message) == ("tool_choice.name", True)
    assert refused(tools=tools[:1], tool_choice={"type": "any"}).param == "tool_choice.type"
    assert refused(tools=[*tools, LOOK]).param == "tools[2].name"


def test_web_search():
    """Claude Code's search stands in for Anthropic's, forced too, but not beside a tool of that name; others go."""
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
    found = ask(tools=[search, {"type": "bash_20250124", "name": "bash"}])
    assert (found.conversation.own_tools, found.ignored) == (("WebSearch",), ("tools.bash_20250124",))
    forced = ask(tools=[search], tool_choice={"type": "tool", "name": "web_search"}).conversation
    assert (forced.own_tools, forced.options.tool_choice.name) == (("WebSearch",), "WebSearch")
    assert ask(tools=[search, {**LOOK, "name": "WebSearch"}]).conversation.own_tools == ()
    assert ask(tools=[search], tool_choice={"type": "none"}).conversation.own_tools == ()


@pytest.mark.parametrize(
    ("choice", "offer", "chosen", "parallel"),
    [
        ({"type": "auto"}, 2, ToolChoice(), True),
        ({"type": "auto", "disable_parallel_tool_use": True}, 2, ToolChoice(), False),
        ({"type": "any"}, 2, ToolChoice(required=True), True),
        ({"type": "tool", "name": "see"}, 2, ToolChoice(name="see"), True),
        ({"type": "none"}, 0, ToolChoice(forbidden=True), True),
    ],
)
def test_tool_choice(choice, offer, chosen, parallel):
    """The choice decides what is offered and what must be called."""
    found = ask(tools=[LOOK, {**LOOK, "name": "see"}], tool_choice=choice).conversation
    assert (len(found.tools), found.options.tool_choice, found.options.parallel_tools) == (offer, chosen, parallel)


def test_odd_tools():
    """A choice or a definition that cannot be met is refused."""
    assert refused(tool_choice={"type": "any"}).param == "tool_choice.type"
    assert refused(tools=[LOOK], tool_choice={"type": "tool", "name": "see"}).param == "tool_choice.name"
    assert refused(tools=[LOOK], tool_choice={"type": "some"}).param == "tool_choice.type"
    assert refused(tools=[LOOK, LOOK]).param == "tools[1].name"
    assert refused(tools=[{**LOOK, "input_schema": {"type": "string"}}]).param == "tools[0].input_schema.type"


def test_options():
    """Limits, stops, effort and form reach the conversation."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    config = {"effort": "high", "format": {"type": "json_schema", "schema": schema}}
    found = ask(stop_sequences=["END"], output_config=config, stream=True)
    assert found.conversation.options == Options(effort="high", max_tokens=100, stop=("END",), schema=schema)
    assert found.streams


def test_form_by_its_older_name():
    """The form of the answer may stand in `output_format`, its name while it was new."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    found = ask(output_format={"type": "json_schema", "schema": schema})
    assert (found.conversation.options.schema, found.ignored) == (schema, ())
    assert refused(output_format={"type": "xml"}).param == "output_format.type"


@pytest.mark.parametrize(
    ("thinking", "shown", "signed", "ignored"),
    [
        ({"type": "disabled"}, False, False, ("thinking",)),
        ({"type": "adaptive"}, True, True, ()),
        ({"type": "adaptive", "display": "omitted"}, False, True, ()),
        ({"type": "enabled", "budget_tokens": 2000}, True, True, ("thinking.budget_tokens",)),
    ],
)
def test_thinking(thinking, shown, signed, ignored):
    """Thinking is shown with its signatures, omitted with them, or left out; how much of it there is, is not ours."""
    found = ask(thinking=thinking)
    assert (found.conversation.options.thinking, found.conversation.options.signed) == (shown, signed)
    assert found.ignored == ignored


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": None}, "max_tokens"),
        ({"model": " "}, "model"),
        ({"stop_sequences": [1]}, "stop_sequences[0]"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema", "schema": 1}}}, "output_config.format.schema"),
    ],
)
def test_odd_options(fields, param):
    """A value that means nothing is refused."""
    assert refused(**fields).param == param


@pytest.mark.parametrize(
    ("fields", "options", "name"),
    [
        ({"thinking": {"type": "deep"}}, Options(max_tokens=100, thinking=True, signed=True), "thinking.type"),
        (
            {"thinking": {"type": "adaptive", "display": "updates"}},
            Options(max_tokens=100, thinking=True, signed=True),
            "thinking.display",
        ),
        ({"output_config": {"effort": "huge"}}, Options(max_tokens=100), "output_config.effort"),
    ],
)
def test_unknown_values(fields, options, name):
    """A value of an option that only tunes, which this server does not know, is its default and named."""
    found = ask(**fields)
    assert (found.conversation.options, found.ignored) == (options, (name,))


def test_ignored():
    """What has no effect is named; what asks for nothing is not."""
    assert ask(temperature=0.3, top_k=5, metadata={"user_id": "a"}, context_management={}).ignored == (
        "temperature",
        "top_k",
        "metadata",
        "context_management",
    )
    assert ask(temperature=1, metadata={}, service_tier="auto").ignored == ()


def test_refused():
    """What a client would count on is refused; a thread in the way that makes the SDK send the whole history."""
    assert refused(thread={"type": "create"}).code == "thread_unsupported_request"
    assert refused(container="a").param == "container"
    assert refused(compaction={"type": "auto"}).param == "compaction"
    assert ask(mcp_servers=[{"name": "a"}]).ignored == ("mcp_servers",)
