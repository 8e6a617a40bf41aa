"""Items become messages that the API takes, in whatever order they come."""

from __future__ import annotations

import base64
import contextlib

import hypothesis
import pytest
from hypothesis import strategies as st

from app.conversation import (
    Base64Source,
    DocumentBlock,
    ImageBlock,
    Message,
    TextBlock,
    TextSource,
    ToolResultBlock,
    ToolUseBlock,
    UrlSource,
)
from app.errors import BadRequest

from .asking import BEFORE, CALL, SEEN, USER, ask, messages_of, refused

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(9)).decode()


def test_contents():
    """Texts, pictures and files become blocks."""
    parts = [
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"},
        {"type": "input_image", "image_url": "https://a/b.png"},
        {"type": "input_file", "file_data": "data:text/plain;base64,SGk=", "filename": "a.txt"},
        {"type": "input_file", "file_url": "https://a/b.pdf"},
    ]
    (message,) = messages_of({"type": "message", "role": "user", "content": parts})
    assert message.content == (
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
    assert messages_of(USER, reasoning, said, CALL, pictured)[1:] == (
        Message("assistant", (TextBlock("Hm."), ToolUseBlock("toolu01", "look", {"at": "sky"}))),
        Message("user", (ToolResultBlock("toolu01", (TextBlock("blue"), ImageBlock(UrlSource("https://a")))),)),
    )


def test_item_reference():
    """An item of a response that is kept may be named instead of repeated."""
    references = [{"type": "item_reference", "id": name} for name in ("msg_ab_0", "fc_ab_1")]
    assert messages_of(USER, *references, SEEN)[1] == BEFORE.messages[1]
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
    """However calls, words and outputs are mixed, the API gets each call's result right after the calls' message."""
    found = messages_of(USER, *items)
    assert [" ".join(brief(block) for block in message.content) for message in found[1:]] == expected


@hypothesis.given(st.lists(st.sampled_from([USER, CALL, OTHER, WORDS, SEEN, FOUND, THOUGHT]), max_size=9))
def test_any_order(items):
    """Whatever the order, the history is one that the API takes, or is refused."""
    with contextlib.suppress(BadRequest):
        messages_of(USER, *items)


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
    calls = [
        block for message in found.conversation.messages for block in message.content if isinstance(block, ToolUseBlock)
    ]
    assert calls == [
        ToolUseBlock("a", "apply_patch", {"input": "*** Begin"}),
        ToolUseBlock("b", "local_shell", {"type": "exec", "command": ["ls"]}),
    ]
    assert found.ignored == ("input.web_search_call",)
