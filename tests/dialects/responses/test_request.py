"""A request for a response becomes a conversation, or a 400 that names the field."""

from __future__ import annotations

import json

import pytest

from app.conversation import (
    Message,
    Options,
    TextBlock,
    ToolResultBlock,
)
from app.errors import BadRequest

from .asking import BEFORE, CALL, SEEN, USER, ask, read, refused


def test_plain():
    """A text is one question, and by default the response is kept."""
    found = ask()
    assert found.conversation.messages == (Message("user", (TextBlock("Hi"),)),)
    assert found.conversation.options == Options()
    assert (found.conversation.system, found.streams, found.stored, found.ignored) == ("", False, True, ())
    assert not ask(store=False).stored


def test_system():
    """Instructions come before what the input says as the system; only that outlives the request."""
    items = [{"role": "developer", "content": "A"}, {"role": "system", "content": "B"}, USER]
    found = ask([*items, {"role": "developer", "content": "C"}], instructions="I")
    assert found.conversation.system == "I\n\nA\n\nB"
    assert found.system == "A\n\nB"
    assert found.conversation.messages[0].content[1] == TextBlock("<system>\nC\n</system>")


def test_previous_response():
    """What went on before is there, with the calls that wait for their results; instructions are not."""
    found = ask([SEEN], previous_response_id="resp_ab", instructions="I")
    assert found.conversation.messages[:2] == BEFORE.messages
    assert found.conversation.messages[2].content == (ToolResultBlock("toolu01", (TextBlock("blue"),)),)
    assert (found.conversation.system, found.system) == ("I\n\nBe kind.", "Be kind.")
    interrupted = ask("Hi", previous_response_id="resp_ab").conversation
    assert (interrupted.interrupted, interrupted.messages[2].content[1]) == (("toolu01",), TextBlock("Hi"))
    words = {"type": "message", "id": "msg_ab_0", "role": "assistant", "content": "Hm."}
    again = ask([words, CALL, SEEN], previous_response_id="resp_ab")
    assert (again.conversation.messages, again.ignored) == (
        found.conversation.messages,
        ("input[0]", "input[1].call_id"),
    )
    assert refused([{**SEEN, "call_id": "other"}], previous_response_id="resp_ab").param == "input[0].call_id"
    assert refused(previous_response_id="resp_cd").code == "previous_response_not_found"


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
