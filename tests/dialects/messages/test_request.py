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
    ToolResultBlock,
    ToolUseBlock,
    Turn,
    UrlSource,
)
from dialects.chat_completions.bodies import accepted

from .asking import HI, ask, asked, refused, result, said, used

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
