"""OpenAI messages become a system prompt and messages that the Messages API takes, every text verbatim."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.conversation import TextBlock, ToolResultBlock
from app.dialects.chat_completions.messages import system_and_messages
from app.dialects.message_list import CONTINUE, OPENING
from app.errors import BadRequest

from .bodies import accepted, histories, texts_of


def plain(listed):
    """Return messages as pairs of role and texts."""
    return [(message.role, [block.text for block in message.content]) for message in listed]


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


SHAPES = {
    "a question": ([user("Hi")], "", [("user", ["Hi"])]),
    "a system prompt": ([{"role": "system", "content": "Be kind."}, user("Hi")], "Be kind.", [("user", ["Hi"])]),
    "two of them": (
        [{"role": "system", "content": "Be kind."}, {"role": "developer", "content": ["Be", " brief."]}, user("Hi")],
        "Be kind.\n\nBe\n brief.",
        [("user", ["Hi"])],
    ),
    "a later system message": (
        [user("Hi"), assistant("Ho"), {"role": "system", "content": "Be brief."}, user("So?")],
        "",
        [("user", ["Hi"]), ("assistant", ["Ho"]), ("user", ["<system>\nBe brief.\n</system>", "So?"])],
    ),
    "nothing but system": ([{"role": "system", "content": "Hi"}], "", [("user", ["<system>\nHi\n</system>"])]),
    "neighbours of one role": (
        [user("a"), user(["b", {"type": "text", "text": "c"}]), assistant("d"), assistant("e"), user("f")],
        "",
        [("user", ["a", "b", "c"]), ("assistant", ["d", "e"]), ("user", ["f"])],
    ),
    "an assistant first": (
        [assistant("a"), user("b")],
        "",
        [("user", [OPENING.text]), ("assistant", ["a"]), ("user", ["b"])],
    ),
    "an assistant last": (
        [user("a"), assistant("b")],
        "",
        [("user", ["a"]), ("assistant", ["b"]), ("user", [CONTINUE.text])],
    ),
    "blanks between": ([user("a"), assistant(" "), user(None), user("\n")], "", [("user", ["a"])]),
    "white space kept": ([user("  a\n")], "", [("user", ["  a\n"])]),
    "a refusal of before": (
        [user("a"), assistant([{"type": "refusal", "refusal": "No."}]), user("b")],
        "",
        [("user", ["a"]), ("assistant", ["No."]), ("user", ["b"])],
    ),
}


@pytest.mark.parametrize(("messages", "system", "listed"), SHAPES.values(), ids=SHAPES)
def test_shapes(messages, system, listed):
    """Each arrangement of roles gives its prompt and alternating messages."""
    found = system_and_messages(messages)
    assert (found[0], plain(found[1])) == (system, listed)


REFUSED = {
    "a message that is no object": (["Hi"], "messages[0]"),
    "no role": ([{"content": "Hi"}], "messages[0].role"),
    "an unknown role": ([user("Hi"), {"role": "narrator", "content": "x"}], "messages[1].role"),
    "a role that is no text": ([{"role": ["user"], "content": "x"}], "messages[0].role"),
    "content that is a number": ([user(7)], "messages[0].content"),
    "content that is an object": ([user({"text": "x"})], "messages[0].content"),
    "a part that is a number": ([user(["a", 7])], "messages[0].content[1]"),
    "a part without a type": ([user([{"text": "x"}])], "messages[0].content[0].type"),
    "a part of an unknown type": ([user([{"type": "video", "video": "x"}])], "messages[0].content[0].type"),
    "a part whose type is no text": ([user([{"type": {}}])], "messages[0].content[0].type"),
    "a text part without text": ([user([{"type": "text"}])], "messages[0].content[0].text"),
    "no text at all": ([user(""), assistant(" ")], "messages"),
}


@pytest.mark.parametrize(("messages", "param"), REFUSED.values(), ids=REFUSED)
def test_refused(messages, param):
    """What breaks the contract is refused, and the error names the place."""
    with pytest.raises(BadRequest) as caught:
        system_and_messages(messages)
    assert (caught.value.param, caught.value.code) == (param, "invalid_value")


@given(histories)
def test_any_legal_history(messages):
    """Any legal list gives messages that alternate, begin and end with the user's, and pass the API's own checks."""
    spoken = [message for message in messages if message["role"] not in {"system", "developer"}]
    try:
        system, listed = system_and_messages(messages)
    except BadRequest:
        # The one reason: nobody said anything.
        assert not any(texts_of(message["content"]) or message.get("tool_calls") for message in spoken)
        return
    assert [message.role for message in listed] == [("user", "assistant")[index % 2] for index in range(len(listed))]
    assert len(listed) % 2 == 1
    accepted(system, listed)


@given(histories)
def test_any_text_arrives(messages):
    """Every text that is more than white space is there, verbatim and in order, on its own side."""
    try:
        system, listed = system_and_messages(messages)
    except BadRequest:
        return
    place = 0
    flat = []
    for message in listed:
        for block in message.content:
            for inner in block.content if isinstance(block, ToolResultBlock) else (block,):
                if isinstance(inner, TextBlock):
                    flat.append((message.role, inner.text))
    leading = True
    for message in messages:
        leading = leading and message["role"] in {"system", "developer"}
        side = "assistant" if message["role"] == "assistant" else "user"
        for text in texts_of(message["content"]):
            if leading and text in system:
                continue
            inline = message["role"] in {"system", "developer"}
            place = next(
                n
                for n in range(place, len(flat))
                if flat[n][0] == side and (text in flat[n][1] if inline else flat[n][1] == text)
            ) + (not inline)


KEYS = st.sampled_from(["role", "content", "type", "text", "tool_calls", "id", "function", "name", "tool_call_id"])
WORDS = st.sampled_from(["user", "assistant", "tool", "system", "text", "image_url", "file", "look"])
ODD = st.recursive(
    st.none() | st.text(max_size=3) | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(ODD | st.dictionaries(KEYS, ODD), min_size=1, max_size=4))
def test_anything_else(messages):
    """No list of whatever raises anything but BadRequest, and that names a place."""
    params = ["messages"]
    try:
        system_and_messages(messages)
    except BadRequest as error:
        params.append(error.param)
    assert all(param.startswith("messages") for param in params)
