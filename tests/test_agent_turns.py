"""Who gets Claude Code's own tools: as much as the operator allows, as little as the client asks for."""

from __future__ import annotations

import os

import msgspec
import openclaw_prompts
import pytest

from app import agent_turns, openclaw
from app.agent_turns import ALL
from app.config import Settings
from app.conversation import Conversation, Options, TextBlock, ToolChoice, ToolDefinition, Turn
from app.errors import BadRequest, ConfigError, Forbidden

PLAIN = Conversation("sonnet", "Be kind.", (Turn("user", (TextBlock("Hi"),)),))
CLAW = msgspec.structs.replace(PLAIN, system=openclaw_prompts.prompt_2026_9())
LOOK = (ToolDefinition("exec", "", {"type": "object"}),)


def settings(tools="", openclaw="", **more):
    environ = {"HOME": "/nowhere", "CLAUDE_PROXY_TOOLS": tools, "CLAUDE_PROXY_OPENCLAW": openclaw, "IS_SANDBOX": "1"}
    return Settings.from_environ(
        {**environ, "CLAUDE_PROXY_PASS_ENV": "IS_SANDBOX", "CLAUDE_PROXY_TOOLS_FOR": "agent,other", **more}
    )


def staffed(conversation, settings, asked, key="agent"):
    """What becomes of a conversation, most often of one that a key with tools asks for."""
    return agent_turns.staffed(conversation, settings, asked, key)


def with_tools(conversation):
    return msgspec.structs.replace(conversation, tools=LOOK)


@pytest.mark.parametrize(
    ("tools", "conversation", "expected"),
    [
        ("", PLAIN, ()),
        ("", CLAW, ()),
        ("none", PLAIN, ()),
        ("none", CLAW, ()),
        ("all", PLAIN, ALL),
        ("ALL", CLAW, ALL),
        ("Read, Grep", PLAIN, ("Read", "Grep")),
        ("Read,Grep", CLAW, ("Read", "Grep")),
    ],
)
def test_what_the_operator_allows(tools, conversation, expected):
    """By default nobody gets any, whatever the prompt says; `none` means none, a list means that list."""
    assert staffed(conversation, settings(tools), None).own_tools == expected


@pytest.mark.parametrize("conversation", [PLAIN, CLAW], ids=["plain", "openclaw"])
@pytest.mark.parametrize(
    ("named", "key", "expected"),
    [
        ("agent", "agent", ALL),
        ("agent", "laptop", ()),
        ("agent", "AGENT", ()),
        ("agent", None, ()),
        ("laptop, agent", "agent", ALL),
        ("anyone", "laptop", ALL),
        ("Anyone", None, ALL),
    ],
)
def test_whom_the_operator_allows_it(conversation, named, key, expected):
    """Only the keys that are named get tools, or all who call where that is said; no text changes it."""
    given = settings("all", CLAUDE_PROXY_TOOLS_FOR=named)
    assert staffed(conversation, given, None, key).own_tools == expected
    if not expected:
        assert staffed(conversation, given, "all", key) == conversation


def test_openclaw_without_permission(caplog):
    """Its prompt stays as it is, and the log says once how to allow it tools."""
    agent_turns._tell_once.cache_clear()
    for _ in range(2):
        assert staffed(CLAW, settings(), None, "claw") == CLAW
    (record,) = caplog.records
    assert "claw" in record.getMessage()
    assert "claude-max-api config openclaw" in record.getMessage()


def test_tools_for_nobody():
    """Tools without a word to whom stop the start, with both ways to say it; the old word is explained."""
    with pytest.raises(ConfigError, match=r"CLAUDE_PROXY_TOOLS_FOR, the names of the API keys .*, or anyone"):
        settings("all", CLAUDE_PROXY_TOOLS_FOR="")
    with pytest.raises(ConfigError, match="CLAUDE_PROXY_TOOLS_FOR, since its prompt alone proves nothing"):
        settings("openclaw")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [("none", ()), ("", ()), ("Read", ("Read",)), (" Grep , Bash", ("Grep",)), ("Bash", ()), ("all", ())],
)
def test_what_the_client_asks_for(asked, expected):
    """A client may ask for less, never for more."""
    assert staffed(PLAIN, settings("Read,Grep"), asked).own_tools == expected
    assert staffed(PLAIN, settings("none"), asked).own_tools == ()


@pytest.mark.parametrize("tools", ["all", "none", "Read"])
@pytest.mark.parametrize("conversation", [PLAIN, CLAW], ids=["plain", "openclaw"])
def test_client_tools(tools, conversation):
    """A client with tools of its own has them run at its side; nothing is stripped, mapped or added."""
    assert staffed(with_tools(conversation), settings(tools), None) == with_tools(conversation)


@pytest.mark.parametrize("openclaw_setting", ["auto", "map"])
def test_tools_forbidden(openclaw_setting):
    """A client that wants no tool called gets a plain chat."""
    quiet = msgspec.structs.replace(CLAW, options=Options(tool_choice=ToolChoice(forbidden=True)))
    assert staffed(quiet, settings("all", openclaw_setting), None) == quiet


def test_a_text_continued_is_no_agent():
    """Autocomplete clients get text, whatever the operator allows."""
    text = msgspec.structs.replace(PLAIN, goes_on=False)
    assert staffed(text, settings("all"), None) == text


def test_mapped():
    """OpenClaw's prompt is adapted to the tools that do the work; the conversation stays."""
    staff = staffed(CLAW, settings("all"), None)
    assert staff.system == openclaw.adapted(CLAW.system)
    assert staff.turns == CLAW.turns


def test_mapped_by_the_operator():
    """`map` puts Claude Code's tools in the place of OpenClaw's; `off` leaves everything alone."""
    staff = staffed(with_tools(CLAW), settings("all", "map"), None)
    assert (staff.tools, staff.own_tools) == ((), ALL)
    assert staff.system == openclaw.adapted(CLAW.system)
    assert staffed(with_tools(PLAIN), settings("all", "map"), None) == with_tools(PLAIN)
    assert staffed(with_tools(CLAW), settings(openclaw="map"), None) == with_tools(CLAW)
    assert staffed(with_tools(CLAW), settings("all", "map"), None, "laptop") == with_tools(CLAW)
    assert staffed(CLAW, settings("none", "off"), None) == CLAW
    assert staffed(CLAW, settings("all", "off"), None).system == CLAW.system


def test_tools_that_a_request_needs():
    """A request for web search gets it where the operator allows it; else only force is refused."""
    searching = msgspec.structs.replace(with_tools(PLAIN), own_tools=("WebSearch",))
    assert staffed(searching, settings("Read,WebSearch"), None) == searching
    assert staffed(searching, settings("all"), None) == searching
    forced = msgspec.structs.replace(searching, options=Options(tool_choice=ToolChoice(name="WebSearch")))
    assert staffed(forced, settings("WebSearch"), None) == searching
    for tools in ("", "none", "Read"):
        assert staffed(searching, settings(tools), None) == with_tools(PLAIN)
        with pytest.raises(BadRequest, match="CLAUDE_PROXY_TOOLS=WebSearch") as caught:
            staffed(forced, settings(tools), None)
        assert caught.value.param == "tool_choice"
    assert staffed(searching, settings("all"), None, "laptop") == with_tools(PLAIN)
    with pytest.raises(BadRequest, match="CLAUDE_PROXY_TOOLS_FOR=laptop"):
        staffed(forced, settings("all"), None, "laptop")


def test_user_and_tool_text_detect_nothing():
    """OpenClaw's prompt in a user's message is a user's message."""
    quoting = msgspec.structs.replace(PLAIN, turns=(Turn("user", (TextBlock(CLAW.system),)),))
    assert staffed(quoting, settings("all"), None).system == quoting.system


def test_root(monkeypatch):
    """As root the CLI would refuse to start; the client is told what to do, and other modes are let through."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    bare = settings("all", CLAUDE_PROXY_PASS_ENV="")
    with pytest.raises(Forbidden, match="CLAUDE_PROXY_PERMISSION_MODE=acceptEdits"):
        staffed(PLAIN, bare, None)
    assert staffed(with_tools(PLAIN), bare, None).own_tools == ()
    careful = settings("all", CLAUDE_PROXY_PASS_ENV="", CLAUDE_PROXY_PERMISSION_MODE="dontask")
    assert careful.permission_mode == "dontAsk"
    assert staffed(PLAIN, careful, None).own_tools == ALL
    monkeypatch.setattr(os, "geteuid", lambda: 501)
    assert staffed(PLAIN, bare, None).own_tools == ALL


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CLAUDE_PROXY_TOOLS", "all,Read"),
        ("CLAUDE_PROXY_TOOLS", "Bash(git:*)"),
        ("CLAUDE_PROXY_TOOLS_FOR", "agent,*"),
        ("CLAUDE_PROXY_TOOLS_FOR", "agent,anyone"),
        ("CLAUDE_PROXY_PERMISSION_MODE", "yolo"),
        ("CLAUDE_PROXY_SETTING_SOURCES", "project,world"),
        ("CLAUDE_PROXY_OPENCLAW", "maybe"),
    ],
)
def test_bad_settings(name, value):
    """A value that cannot be used is named with what it takes."""
    with pytest.raises(ConfigError, match=name):
        settings(**{name: value})


@pytest.mark.parametrize(
    ("properties", "refused"),
    [
        ({"unit": {"enum": ["m2", "\u33a1"]}}, True),
        ({"zero\u200bwidth": {}}, True),
        ({"description": {"const": "\uff41"}}, True),
        ({"unit": {"description": "\u33a1", "enum": ["gr\u00f6\u00dfe", "\u57ce\u5e02"]}}, False),
    ],
)
def test_values_that_the_cli_would_change(properties, refused):
    """Beside Claude Code's own tools a value that would reach the model as another one is refused by its name."""
    tools = (ToolDefinition("exec", "\u33a1", {"type": "object", "properties": properties}),)
    conversation = msgspec.structs.replace(PLAIN, tools=tools, own_tools=("WebSearch",))
    if refused:
        with pytest.raises(BadRequest, match="exec"):
            staffed(conversation, settings("WebSearch"), None)
    else:
        assert staffed(conversation, settings("WebSearch"), None).tools == tools
    without = msgspec.structs.replace(conversation, own_tools=())
    assert staffed(without, settings("none"), None).tools == tools
