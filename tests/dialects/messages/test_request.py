"""A request in Anthropic's shape becomes a conversation, or a 400 that names the field."""

from __future__ import annotations

import base64

import pytest

from app.conversation import (
    Base64Source,
    DocumentBlock,
    ImageBlock,
    Options,
    RedactedThinkingBlock,
    TextBlock,
    TextSource,
    ThinkingBlock,
    ToolChoice,
    ToolDefinition,
    ToolResultBlock,
    ToolUseBlock,
    Turn,
    UrlSource,
)
from dialects.chat_completions.bodies import accepted

from .asking import HI, LOOK, ask, asked, refused, result, said, used

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(9)).decode()
PDF = base64.b64encode(b"%PDF-1.4").decode()


def turns(*messages):
    """Return the turns of these messages, which the API would take."""
    found = ask(messages).conversation.turns
    accepted("", found)
    return found


def blocks(*content):
    """Return what a user's content becomes."""
    (turn,) = turns(asked(*content))
    return turn.content


def test_plain():
    """A question is one turn, with the model, the limit and no more."""
    found = ask()
    assert found.conversation.turns == (Turn("user", (TextBlock("Hi"),)),)
    assert found.conversation.options == Options(max_tokens=100)
    assert (found.conversation.model, found.conversation.system, found.stream, found.ignored) == ("m", "", False, ())


def test_system():
    """The system prompt is a string or text blocks; cache marks on them have no effect."""
    assert ask(system="Be kind.").conversation.system == "Be kind."
    marked = [
        {"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "B"},
    ]
    assert ask(system=marked).conversation.system == "Be kind.\n\nB"
    assert refused(system=[{"type": "image"}]).param == "system[0].type"
    assert refused(system=7).param == "system"


def test_system_message():
    """A system message between the others stands there as user text in tags."""
    (turn,) = turns(HI, {"role": "system", "content": "Be brief."})
    assert turn.content[1] == TextBlock("<system>\nBe brief.\n</system>")


def test_contents():
    """Text, pictures and documents become the same blocks of the API."""
    assert blocks(
        {"type": "text", "text": "Look"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}, "title": "T"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "D"}, "context": "C"},
        {"type": "document", "source": {"type": "url", "url": "https://a/b.pdf"}},
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "E"}]}},
    ) == (
        TextBlock("Look"),
        ImageBlock(Base64Source("image/png", PNG)),
        ImageBlock(UrlSource("https://a/b.png")),
        DocumentBlock(Base64Source("application/pdf", PDF), "T"),
        DocumentBlock(TextSource("D"), context="C"),
        DocumentBlock(UrlSource("https://a/b.pdf")),
        DocumentBlock(TextSource("E")),
    )


@pytest.mark.parametrize(
    ("block", "place"),
    [
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, "source.type"),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "?"}}, "source.data"),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": PNG}}, "source.data"),
        ({"type": "image", "source": {"type": "url", "url": "file:///etc/hosts"}}, "source.url"),
        ({"type": "document", "source": {"type": "base64", "data": PNG}}, "source.data"),
        ({"type": "document", "source": {"type": "text", "data": " "}}, "source.data"),
        ({"type": "document", "source": {"type": "url", "url": "/etc/hosts"}}, "source.url"),
        ({"type": "document", "source": {"type": "file"}}, "source.type"),
        ({"type": "server_tool_use"}, "type"),
        ({"type": "tool_use"}, "type"),
        ({"type": "text"}, "text"),
    ],
)
def test_odd_blocks(block, place):
    """A block that cannot be used is refused by its place."""
    assert refused([asked(block)]).param == f"messages[0].content[0].{place}"


def test_tool_round():
    """Calls, thinking and results, failed ones too, go into the conversation as they are."""
    history = [
        HI,
        said(
            {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "eHh4"},
            {"type": "text", "text": "I look."},
            used("toolu_1", at="sky"),
            used("toolu_2"),
        ),
        asked(
            result("toolu_2", [{"type": "text", "text": "no"}], is_error=True),
            result("toolu_1", None),
            {"type": "text", "text": "So?"},
        ),
    ]
    assert turns(*history)[1:] == (
        Turn(
            "assistant",
            (
                ThinkingBlock("Hm.", "c2ln"),
                RedactedThinkingBlock("eHh4"),
                TextBlock("I look."),
                ToolUseBlock("toolu_1", "look", {"at": "sky"}),
                ToolUseBlock("toolu_2", "look", {}),
            ),
        ),
        Turn(
            "user",
            (
                ToolResultBlock("toolu_2", (TextBlock("no"),), is_error=True),
                ToolResultBlock("toolu_1", ()),
                TextBlock("So?"),
            ),
        ),
    )


def test_thinking_without_signature():
    """Thinking that nothing proves, or that nothing was said after, is left out: the API would refuse it."""
    thought = {"type": "thinking", "thinking": "Hm.", "signature": ""}
    assert turns(HI, said(thought, {"type": "text", "text": "Yes."}), HI)[1].content == (TextBlock("Yes."),)
    assert len(turns(HI, said({**thought, "signature": "c2ln"}), HI)) == 1


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([HI, said(used()), HI], "messages[2].content"),
        ([HI, said(used()), asked({"type": "text", "text": "a"}, result())], "messages[2].content[0]"),
        ([HI, said(used(), used("toolu_2")), asked(result())], "messages"),
        ([HI, said(used()), said(used())], "messages[2]"),
        ([HI, said(used(), used())], "messages[1].content[1].id"),
        ([asked(result())], "messages[0].content[0].tool_use_id"),
        ([HI, said({"type": "text", "text": "a"}), asked(result())], "messages[2].content[0].tool_use_id"),
        ([HI, said(used()), asked(result(is_error="yes"))], "messages[2].content[0].is_error"),
        ([HI, said(used()), asked(result(content=[used()]))], "messages[2].content[0].content[0].type"),
        ([HI, said(used(name="a b"))], "messages[1].content[0].name"),
        ([HI, said({"type": "image"})], "messages[1].content[0].type"),
        ([HI, said({"type": "text", "text": "Sure, "})], "messages"),
        ([said({"type": "text", "text": "Hello"}), HI], "messages[0].role"),
        ([asked({"type": "text", "text": " "})], "messages"),
        ([{"role": "tool", "content": "a"}], "messages[0].role"),
        ([{"role": "user"}], "messages[0].content"),
        (["Hi"], "messages[0]"),
        ([], "messages"),
    ],
)
def test_odd_histories(messages, param):
    """What the API would refuse is refused here, by its place."""
    assert refused(messages).param == param


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
    """A tool that Anthropic runs, or that Claude knows without a schema, is refused by its name."""
    error = refused(tools=[LOOK, {"type": kind, "name": "a"}])
    assert error.param == "tools[1].type"
    assert kind in error.message


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
    assert found.stream


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
        ({"thinking": {"type": "deep"}}, "thinking.type"),
        ({"thinking": {"type": "adaptive", "display": "all"}}, "thinking.display"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema", "schema": 1}}}, "output_config.format.schema"),
    ],
)
def test_odd_options(fields, param):
    """A value that means nothing is refused."""
    assert refused(**fields).param == param


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
    assert refused(mcp_servers=[{"name": "a"}]).param == "mcp_servers"
    assert refused(container="a").param == "container"
    assert refused(compaction={"type": "auto"}).param == "compaction"
    assert ask(mcp_servers=[]).ignored == ("mcp_servers",)
