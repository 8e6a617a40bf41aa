"""What a process is told before the conversation."""

from __future__ import annotations

import json

from app.claude.cli.setup import setup_lines
from app.conversation import Conversation, Message, Options, TextBlock, ToolChoice, ToolDefinition

LOOK = ToolDefinition("look", "Look around", {"type": "object", "properties": {}})
JUMP = ToolDefinition("jump", "Jump", {"type": "object", "properties": {}})
HI = (Message("user", (TextBlock("Hi"),)),)


def asking(**options):
    return Conversation("sonnet", "Be brief.", HI, (LOOK, JUMP), Options(**options))


def test_form_of_an_answer_that_must_be_a_call():
    """Where a call must come the CLI's own tool for the answer's form is not offered beside it."""
    for choice, offered in ((ToolChoice(), True), (ToolChoice(required=True), False), (ToolChoice(name="look"), False)):
        lines = setup_lines(asking(schema={"type": "object"}, tool_choice=choice)).splitlines()
        assert ("jsonSchema" in json.loads(lines[0])["request"]) is offered


def test_only_the_named_tool_is_offered():
    """A named tool_choice leaves that tool alone, and the model is told to call it."""
    conversation = asking(tool_choice=ToolChoice(name="jump"))
    assert conversation.offered == (JUMP,)
    first = json.loads(setup_lines(conversation).splitlines()[0])
    assert "`jump`" in first["request"]["systemPrompt"][0]
    assert first["request"]["systemPrompt"][0].startswith("Be brief.")


def test_options_reach_the_process():
    """Model, effort, bound, stop sequences and one-call-at-a-time are settings of the process; nothing else is sent."""
    options = Options(effort="low", thinking=True, max_tokens=5, stop=("END", "\n"), parallel_tools=False)
    lines = [json.loads(line) for line in setup_lines(Conversation("opus", "", HI, (), options)).splitlines()]
    assert [line["request"]["subtype"] for line in lines] == [
        "initialize",
        "set_max_thinking_tokens",
        "apply_flag_settings",
    ]
    settings = lines[-1]["request"]["settings"]
    assert (settings["model"], settings["effortLevel"]) == ("opus", "low")
    assert settings["env"]["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] == "5"
    assert json.loads(settings["env"]["CLAUDE_CODE_EXTRA_BODY"]) == {
        "stop_sequences": ["END"],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    }
    plain = setup_lines(Conversation("opus", "", HI)).splitlines()
    assert json.loads(plain[-1])["request"]["settings"] == {"model": "opus"}
