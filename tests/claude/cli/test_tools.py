"""The client's tools as the CLI meets them: offered, called, never run."""

from __future__ import annotations

import json

import pytest

from app.claude.cli.incoming import decode
from app.claude.cli.setup import setup_lines
from app.claude.cli.tools import ToolServer
from app.claude.turn.parser import MAX_ROUNDS, AnswerParser
from app.conversation import Conversation, Message, Options, TextBlock, ToolChoice, ToolDefinition, ToolResultBlock
from app.errors import CliFailed, ToolChoiceUnsatisfied
from app.events import Restart, ToolCallDelta, ToolCallStart, TurnEnd
from claude import cli_lines as cli

LOOK = ToolDefinition("look", "Look around", {"type": "object", "properties": {}})
JUMP = ToolDefinition("jump", "Jump", {"type": "object", "properties": {}})
HI = (Message("user", (TextBlock("Hi"),)),)


def asking(**options):
    return Conversation("sonnet", "Be brief.", HI, (LOOK, JUMP), Options(**options))


def call(name, *pieces, index=0, call_id="toolu_01"):
    """Return the lines of one streamed call."""
    yield cli.event(
        "content_block_start",
        index=index,
        content_block={"type": "tool_use", "id": call_id, "name": name, "input": {}},
    )
    for piece in pieces:
        yield cli.event("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": piece})
    yield cli.event("content_block_stop", index=index)


def events_of(conversation, *lines):
    answer = AnswerParser(conversation)
    return [event for line in cli.typed(*lines) for event in answer.feed(line)]


def demanded(method, **message):
    demand = {"subtype": "mcp_message", "server_name": "client", "message": {"method": method, "id": 7, **message}}
    line = {"type": "control_request", "request_id": "r1", "request": demand}
    return decode(json.dumps(line).encode())


def test_tools_are_listed():
    """The CLI gets each tool's name, under the id it asked with; description and schema beside tools of its own."""
    for whole, described in (
        (False, {"name": "look", "description": "", "inputSchema": {"type": "object"}}),
        (True, {"name": "look", "description": "Look around", "inputSchema": LOOK.input_schema}),
    ):
        reply = json.loads(ToolServer((LOOK,), whole=whole).reply(demanded("tools/list")))
        assert reply["response"]["request_id"] == "r1"
        answer = reply["response"]["response"]["mcp_response"]
        assert answer["id"] == 7
        assert answer["result"]["tools"] == [{**described, "_meta": {"anthropic/maxResultSizeChars": 500_000}}]


def test_tools_are_told_in_advance():
    """The manifest says what the CLI would be answered, so that it need not ask."""
    conversation = asking()
    start = json.loads(setup_lines(conversation).splitlines()[0])["request"]
    manifest = start["sdkMcpServerManifests"]["client"]
    asked = [
        json.loads(ToolServer((LOOK, JUMP)).reply(demanded(method, params={"protocolVersion": "2025-11-25"})))
        for method in ("initialize", "tools/list")
    ]
    told = [reply["response"]["response"]["mcp_response"]["result"] for reply in asked]
    assert [manifest["initializeResult"], manifest["toolsListResult"]] == told
    assert "sdkMcpServerManifests" not in json.loads(setup_lines(Conversation("sonnet", "", HI)).splitlines()[0])


def called(call_id, number):
    about = {} if call_id is None else {"claudecode/toolUseId": call_id}
    return demanded("tools/call", id=number, params={"name": "look", "arguments": {}, "_meta": about})


def answers(data):
    """Return which JSON-RPC requests the lines answer, and with which texts."""
    replies = [json.loads(line)["response"]["response"]["mcp_response"] for line in data.splitlines()]
    return [(reply["id"], [part["text"] for part in reply["result"]["content"]]) for reply in replies]


def given(call_id, *texts):
    return ToolResultBlock(call_id, tuple(TextBlock(text) for text in texts))


def test_results_for_open_calls_and_for_later_ones():
    """A call waits for its result, and a result for its call; ids are compared by letters and digits."""
    server = ToolServer((LOOK,))
    assert server.reply(called("toolu_01a", 1)) is None
    assert answers(server.give([given("toolu01b", "two", "three"), given("toolu01a", "one")])) == [(1, ["one"])]
    assert answers(server.reply(called("toolu_01b", 2))) == [(2, ["two", "three"])]
    assert server.reply(called("toolu_01c", 3)) is None
    assert answers(server.give([given("toolu01c", "four")])) == [(3, ["four"])]


def test_a_call_that_does_not_say_which_it_is():
    """Without its id no result can be given to a call, and the process is of no use for results."""
    server = ToolServer((LOOK,))
    assert server.reply(called(None, 1)) is None
    with pytest.raises(CliFailed):
        server.give([given("toolu01a", "one")])
    server = ToolServer((LOOK,))
    server.give([given("toolu01a", "one")])
    with pytest.raises(CliFailed):
        server.reply(called(None, 1))


@pytest.mark.parametrize("method", ["initialize", "notifications/initialized", "ping", "resources/list"])
def test_every_question_is_answered(method):
    """Whatever else the CLI asks of a tool server gets an answer, so that it never waits."""
    reply = json.loads(ToolServer((LOOK,)).reply(demanded(method, params={"protocolVersion": "2025-11-25"})))
    answer = reply["response"]["response"]["mcp_response"]
    assert ("error" in answer) is (method == "resources/list")


def test_calls_are_not_answered():
    """A call is the client's to answer; another kind of demand is refused."""
    assert ToolServer((LOOK,)).reply(demanded("tools/call", params={"name": "look"})) is None
    line = decode(b'{"type":"control_request","request_id":"r2","request":{"subtype":"can_use_tool"}}')
    assert json.loads(ToolServer(()).reply(line))["response"]["subtype"] == "error"


def test_parallel_calls():
    """Calls get their own index, ids of letters and digits, arguments as they come, `{}` where there are none."""
    lines = [
        cli.message_start(),
        *call("look", '{"a"', ": 1}", call_id="toolu_0-1"),
        *call("mcp__client__jump", index=1, call_id="toolu_02"),
        cli.message_delta("tool_use"),
        cli.message_stop(),
    ]
    events = events_of(asking(), *lines)
    assert events[1:-1] == [
        ToolCallStart(0, "toolu01", "look"),
        ToolCallDelta(0, json.dumps('{"a"').encode()),
        ToolCallDelta(0, b'": 1}"'),
        ToolCallStart(1, "toolu02", "jump"),
        ToolCallDelta(1, b'"{}"'),
    ]
    assert isinstance(events[-1], TurnEnd)
    assert events[-1].stop_reason == "tool_use"


def test_invented_call():
    """A call of a tool that was not offered is not the client's, and does not end the turn."""
    lines = [cli.message_start(), *call("rm", "{}"), cli.message_delta("tool_use"), cli.message_stop()]
    assert not any(isinstance(event, ToolCallStart | TurnEnd) for event in events_of(asking(), *lines))


def test_endless_inventions():
    """A model that goes on inventing tools is stopped: each round spends."""
    lines = [cli.message_start("m"), *call("rm", "{}"), cli.message_delta("tool_use"), cli.message_stop()]
    with pytest.raises(CliFailed):
        events_of(asking(), *(lines * (MAX_ROUNDS + 1)))


def test_broken_call():
    """Calls of a message that broke off are taken back."""
    lines = [cli.message_start("m1"), *call("look", '{"a"'), cli.message_stop(), cli.message_start("m2")]
    assert Restart(0) in events_of(asking(), *lines)


def test_required_call_missing_twice():
    """Text alone does not end a turn that must call; the second time it is an error, never a healthy end."""
    answer = AnswerParser(asking(tool_choice=ToolChoice(required=True)))
    first = [event for line in cli.typed(*cli.message("No."), cli.result("No.")) for event in answer.feed(line)]
    assert not any(isinstance(event, TurnEnd) for event in first)
    assert answer.complaint
    answer.repair()
    *before, last = cli.typed(*cli.message("No.", msg_id="m2"), cli.result("No."))
    for line in before:
        answer.feed(line)
    with pytest.raises(ToolChoiceUnsatisfied):
        answer.feed(last)


def test_required_call_cut_short():
    """A turn that had to call and was cut at max_tokens has ended; nothing more is asked of its process."""
    answer = AnswerParser(asking(tool_choice=ToolChoice(required=True), max_tokens=5))
    lines = cli.typed(*cli.message("I will", stop_reason="max_tokens"))
    events = [event for line in lines for event in answer.feed(line)]
    assert events[-1].stop_reason == "max_tokens"
    assert answer.ended
    assert not answer.complaint
