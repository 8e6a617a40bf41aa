"""Whether a process can go on with its conversation after a turn, and for what it waits."""

from __future__ import annotations

import msgspec
import pytest

from app.claude.turn.parser import AnswerParser
from app.conversation import Conversation, Message, Options, TextBlock, ToolChoice, ToolDefinition
from app.events import TurnEnd
from claude import cli_lines as cli

LOOK = ToolDefinition("look", "", {"type": "object"})
PLAIN = Conversation("sonnet", "", (Message("user", (TextBlock("Hi"),)),), (LOOK,))


def after(*lines, **options):
    """Return what is open after a turn that ends well."""
    answer = AnswerParser(msgspec.structs.replace(PLAIN, options=Options(**options)))
    events = [event for line in cli.typed(*lines) for event in answer.feed(line)]
    assert isinstance(events[-1], TurnEnd)
    return answer.open_calls


def call(name, call_id, index):
    block = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
    return [
        cli.event("content_block_start", index=index, content_block=block),
        cli.event("content_block_stop", index=index),
    ]


def calling(*calls):
    lines = [cli.message_start(), cli.block_start(), cli.text("Let me look."), cli.event("content_block_stop", index=0)]
    for index, (name, call_id) in enumerate(calls, start=1):
        lines += call(name, call_id, index)
    return [*lines, cli.message_delta("tool_use"), cli.message_stop()]


def test_idle():
    """After an answer given to its end nothing is open, also where the API was asked again before it began."""
    lines = [*cli.message("Hello."), cli.result("Hello.")]
    assert after(*lines) == frozenset()
    assert after(cli.api_retry(), *lines) == frozenset()
    assert after(cli.message_start(), cli.block_start(), cli.thinking("hm"), *lines[1:]) == frozenset()


def test_calls():
    """Calls of the client's tools are open, by their plain ids."""
    assert after(*calling(("look", "toolu_01"), ("look", "toolu_02"))) == {"toolu01", "toolu02"}
    required = {"tool_choice": ToolChoice(required=True)}
    assert after(*calling(("look", "toolu_01")), **required) == {"toolu01"}


CUT = cli.message("Hello.")[:-2]
NOT_EXACT = {
    "stop reason": ([*cli.message("Hello.", stop_reason="max_tokens"), cli.result("Hello.")], {}),
    "refusal": ([*cli.message("No.", stop_reason="refusal"), cli.result("No.")], {}),
    "two blocks": ([*cli.message("Hello.", "There."), cli.result("There.")], {}),
    "two messages": ([*cli.message("Hello."), *cli.message("There.", msg_id="msg_2"), cli.result("There.")], {}),
    "broken off": ([*CUT, cli.api_retry(), *cli.message("Hello.", msg_id="msg_2"), cli.result("Hello.")], {}),
    "not streamed": ([cli.assistant("Hello."), cli.result("Hello.")], {}),
    "stopped": ([*cli.message("Hello. END"), cli.result("Hello. END")], {"stop": ("END",)}),
    "invented tool": (calling(("look", "toolu_01"), ("nope", "toolu_02")), {}),
    "max_tokens": (cli.message("Hello.", stop_reason="max_tokens"), {"max_tokens": 5}),
    "schema": ([*cli.message("{}"), cli.result("{}", structured_output={})], {"schema": {"type": "object"}}),
}


@pytest.mark.parametrize("what", NOT_EXACT)
def test_not_what_the_client_was_given(what):
    """A process with a cut answer, or with other words in mind than the client was given, cannot go on."""
    lines, options = NOT_EXACT[what]
    assert after(*lines, **options) is None


def test_text_after_a_call():
    """Clients hand text back in front of the calls; where it came behind them, the process remembers otherwise."""
    lines = [cli.message_start(), *call("look", "toolu_01", 0), cli.block_start(index=1), cli.text("So.", 1)]
    ending = [cli.event("content_block_stop", index=1), cli.message_delta("tool_use"), cli.message_stop()]
    assert after(*lines, *ending) is None


def test_after_a_demanded_call():
    """A model that had to be asked twice for a call has a demand in mind that is not the client's."""
    answer = AnswerParser(msgspec.structs.replace(PLAIN, options=Options(tool_choice=ToolChoice(required=True))))
    for line in cli.typed(*cli.message("No."), cli.result("No.")):
        answer.feed(line)
    answer.repair()
    for line in cli.typed(*calling(("look", "toolu_01"))):
        answer.feed(line)
    assert answer.ended
    assert answer.open_calls is None
