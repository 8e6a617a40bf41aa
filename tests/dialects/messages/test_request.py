"""A request in Anthropic's shape becomes a conversation, or a 400 that names the field."""

from __future__ import annotations

import base64

import pytest

from app.conversation import (
    Base64Source,
    Citing,
    DocumentBlock,
    ImageBlock,
    Message,
    Options,
    RedactedThinkingBlock,
    TextBlock,
    TextSource,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
)
from app.dialects.anthropic.blocks import SHOWN
from dialects.chat_completions.bodies import accepted

from .asking import HI, ask, asked, refused, result, said, used

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(9)).decode()
PDF = base64.b64encode(b"%PDF-1.4").decode()


def messages_of(*messages):
    """Return the messages of these messages, which the API would take."""
    found = ask(messages).conversation.messages
    accepted("", found)
    return found


def blocks(*content):
    """Return what a user's content becomes."""
    (message,) = messages_of(asked(*content))
    return message.content


def test_plain():
    """A question is one message, with the model, the limit and no more."""
    found = ask()
    assert found.conversation.messages == (Message("user", (TextBlock("Hi"),)),)
    assert found.conversation.options == Options(max_tokens=100)
    assert (found.conversation.model, found.conversation.system, found.streams, found.ignored) == ("m", "", False, ())


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
    (message,) = messages_of(HI, {"role": "system", "content": "Be brief."})
    assert message.content[1] == TextBlock("<system>\nBe brief.\n</system>")


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
        {"type": "search_result", "source": "https://a/b", "title": "T", "content": [{"type": "text", "text": "F"}]},
    ) == (
        TextBlock("Look"),
        ImageBlock(Base64Source("image/png", PNG)),
        ImageBlock(UrlSource("https://a/b.png")),
        DocumentBlock(Base64Source("application/pdf", PDF), "T"),
        DocumentBlock(TextSource("D"), context="C"),
        DocumentBlock(UrlSource("https://a/b.pdf")),
        DocumentBlock(TextSource("E")),
        DocumentBlock(TextSource("F"), "T", "https://a/b"),
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
        ({"type": "search_result", "source": "a", "title": "b", "content": []}, "content"),
        ({"type": "tool_reference", "tool_name": "look"}, "type"),
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
    assert messages_of(*history)[1:] == (
        Message(
            "assistant",
            (
                ThinkingBlock("Hm.", "c2ln"),
                RedactedThinkingBlock("eHh4"),
                TextBlock("I look."),
                ToolUseBlock("toolu_1", "look", {"at": "sky"}),
                ToolUseBlock("toolu_2", "look", {}),
            ),
        ),
        Message(
            "user",
            (
                ToolResultBlock("toolu_2", (TextBlock("no"),), is_error=True),
                ToolResultBlock("toolu_1", ()),
                TextBlock("So?"),
            ),
        ),
    )


INTERRUPTED = "[The tool was interrupted; it gave no result.]"


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([said(used()), HI], [["toolu_1"], [("toolu_1", INTERRUPTED), "Hi"]]),
        (
            [said(used(), used("toolu_2")), asked(result("toolu_2"), {"type": "text", "text": "No."})],
            [["toolu_1", "toolu_2"], [("toolu_2", "seen"), ("toolu_1", INTERRUPTED), "No."]],
        ),
        ([said(used()), asked({"type": "text", "text": "a"}, result())], [["toolu_1"], [("toolu_1", "seen"), "a"]]),
        ([said(used()), HI, asked(result())], [["toolu_1"], [("toolu_1", "seen"), "Hi"]]),
        ([said(used()), said(used()), asked(result(), result())], [["toolu_1"], [("toolu_1", "seen")]]),
        (
            [said(used()), said({"type": "text", "text": "I look."}), asked(result())],
            [["I look.", "toolu_1"], [("toolu_1", "seen")]],
        ),
        (
            [said({"type": "server_tool_use", "id": "a"}, {"type": "web_search_tool_result"}, used()), asked(result())],
            [["toolu_1"], [("toolu_1", "seen")]],
        ),
        (
            [said(used()), asked(result(content=[{"type": "tool_reference", "tool_name": "see"}]))],
            [["toolu_1"], [("toolu_1", "The tool see is there and can be called.")]],
        ),
    ],
)
def test_mended_histories(messages, expected):
    """A history that the API would refuse, and whose sense is plain, is told so that the API takes it."""
    found = messages_of(HI, *messages)
    assert [[brief(block) for block in message.content] for message in found[1:]] == expected


def brief(block):
    match block:
        case TextBlock():
            return block.text
        case ToolUseBlock():
            return block.id
        case ToolResultBlock():
            return block.tool_use_id, block.content[0].text


def test_left_out():
    """What was left out of a history, or stood in it twice, is named; an interrupted call can be asked for."""
    found = ask([HI, said({"type": "server_tool_use"}, used("a"), used("a"), used("b")), asked(result("a")), HI])
    assert found.ignored == ("messages.server_tool_use", "messages[1].content[2].id")
    assert found.conversation.interrupted == ("b",)


def test_thinking_without_signature():
    """Thinking that nothing proves, or that nothing was said after, is left out: the API would refuse it."""
    thought = {"type": "thinking", "thinking": "Hm.", "signature": ""}
    assert messages_of(HI, said(thought, {"type": "text", "text": "Yes."}), HI)[1].content == (TextBlock("Yes."),)
    assert len(messages_of(HI, said({**thought, "signature": "c2ln"}), HI)) == 1


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([HI, said(used(), used("toolu_2")), asked(result())], "messages"),
        ([HI, said(used()), said(used())], "messages"),
        ([HI, said(used(), used(at="sea"))], "messages[1].content[1].id"),
        ([HI, said(used()), asked(result(), result(content="else"))], "messages[2].content[1].tool_use_id"),
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


def test_documents_to_cite():
    """Whether a document is to be cited reaches the API, in a tool's result too; not said and false are the same."""
    source = {"type": "text", "data": "Kittens are small."}
    for given, found in (({"enabled": True}, Citing(enabled=True)), ({"enabled": False}, None), (None, None)):
        document = {"type": "document", "source": source, "citations": given}
        assert blocks(document, {"type": "text", "text": "Hi"})[0] == DocumentBlock(
            TextSource("Kittens are small."), citations=found
        )
        told = ask((asked(document),)).conversation
        later = ask((HI, said(used()), asked(result(content=[document])))).conversation
        assert told.cites == later.cites == (found is not None)
    assert refused((asked({"type": "document", "source": source, "citations": {"enabled": 1}}),)).param == (
        "messages[0].content[0].citations.enabled"
    )


def test_shown_work_comes_back():
    """What was shown of an agent's work is left out of the history, the model's own thinking is not."""
    shown = {"type": "thinking", "thinking": "Bash: ls\n  a\n", "signature": SHOWN}
    thought = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    text = {"type": "text", "text": "Done."}
    _, answer, _ = messages_of(HI, said(shown, thought, text, shown), HI)
    assert answer.content == (ThinkingBlock("hm", "c2ln"), TextBlock("Done."))
    (alone,) = messages_of(HI, said(shown), HI)
    assert alone.role == "user"
