"""Who gets Claude Code's own tools: as much as the operator allows, as little as the client asks for."""

from __future__ import annotations

import dataclasses
import os

import msgspec
import openclaw_prompts
import pytest

from app import agent_turns, openclaw
from app.agents.agent import Agent, McpServer, Workplace
from app.config_reading import read_settings
from app.conversation import Conversation, Message, Options, TextBlock, ToolChoice, ToolDefinition
from app.errors import BadRequest, ConfigError, Forbidden
from app.setting_parsers import ALL_TOOLS as ALL

PLAIN = Conversation("sonnet", "Be kind.", (Message("user", (TextBlock("Hi"),)),))
CLAW = msgspec.structs.replace(PLAIN, system=openclaw_prompts.prompt_2026_9())
LOOK = (ToolDefinition("exec", "", {"type": "object"}),)


def settings(tools="", openclaw="", **more):
    environ = {"HOME": "/nowhere", "CLAUDE_PROXY_TOOLS": tools, "CLAUDE_PROXY_OPENCLAW": openclaw, "IS_SANDBOX": "1"}
    return read_settings(
        {**environ, "CLAUDE_PROXY_PASS_ENV": "IS_SANDBOX", "CLAUDE_PROXY_TOOLS_FOR": "agent,other", **more}
    )


def with_own_tools(conversation, settings, asked, key="agent"):
    """What becomes of a conversation, most often of one that a key with tools asks for."""
    return agent_turns.with_agent(conversation, settings, None, asked, key)


def tools_of(conversation):
    """Which of Claude Code's own tools may work in a turn."""
    return conversation.workplace.tools if conversation.workplace is not None else ()


def bare(conversation):
    """The conversation without the place where an agent works."""
    return msgspec.structs.replace(conversation, workplace=None)


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
    assert tools_of(with_own_tools(conversation, settings(tools), None)) == expected


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
    assert tools_of(with_own_tools(conversation, given, None, key)) == expected
    if not expected:
        assert with_own_tools(conversation, given, "all", key) == conversation


def test_openclaw_without_permission(caplog):
    """Its prompt stays as it is, and the log says once how to allow it tools."""
    agent_turns._tell_once.cache_clear()
    for _ in range(2):
        assert with_own_tools(CLAW, settings(), None, "claw") == CLAW
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
    assert tools_of(with_own_tools(PLAIN, settings("Read,Grep"), asked)) == expected
    assert tools_of(with_own_tools(PLAIN, settings("none"), asked)) == ()


@pytest.mark.parametrize("tools", ["all", "none", "Read"])
@pytest.mark.parametrize("conversation", [PLAIN, CLAW], ids=["plain", "openclaw"])
def test_client_tools(tools, conversation):
    """A client with tools of its own has them run at its side; nothing is stripped, mapped or added."""
    assert with_own_tools(with_tools(conversation), settings(tools), None) == with_tools(conversation)


@pytest.mark.parametrize("openclaw_setting", ["auto", "map"])
def test_tools_forbidden(openclaw_setting):
    """A client that wants no tool called gets a plain chat."""
    quiet = msgspec.structs.replace(CLAW, options=Options(tool_choice=ToolChoice(forbidden=True)))
    assert with_own_tools(quiet, settings("all", openclaw_setting), None) == quiet


def test_a_text_continued_is_no_agent():
    """Autocomplete clients get text, whatever the operator allows."""
    text = msgspec.structs.replace(PLAIN, goes_on=False)
    assert with_own_tools(text, settings("all"), None) == text


def test_mapped():
    """OpenClaw's prompt is adapted to the tools that do the work; the conversation stays."""
    agent = with_own_tools(CLAW, settings("all"), None)
    assert agent.system == openclaw.adapted(CLAW.system)
    assert agent.messages == CLAW.messages


def test_mapped_by_the_operator():
    """`map` puts Claude Code's tools in the place of OpenClaw's; `off` leaves everything alone."""
    agent = with_own_tools(with_tools(CLAW), settings("all", "map"), None)
    assert (agent.tools, tools_of(agent)) == ((), ALL)
    assert agent.system == openclaw.adapted(CLAW.system)
    assert with_own_tools(with_tools(PLAIN), settings("all", "map"), None) == with_tools(PLAIN)
    assert with_own_tools(with_tools(CLAW), settings(openclaw="map"), None) == with_tools(CLAW)
    assert with_own_tools(with_tools(CLAW), settings("all", "map"), None, "laptop") == with_tools(CLAW)
    assert with_own_tools(CLAW, settings("none", "off"), None) == CLAW
    assert with_own_tools(CLAW, settings("all", "off"), None).system == CLAW.system


def test_tools_that_a_request_needs():
    """A request for web search gets it where the operator allows it; else only force is refused."""
    searching = msgspec.structs.replace(with_tools(PLAIN), own_tools=("WebSearch",))
    for tools in ("Read,WebSearch", "all"):
        found = with_own_tools(searching, settings(tools), None)
        assert (bare(found), tools_of(found)) == (searching, ("WebSearch",))
    forced = msgspec.structs.replace(searching, options=Options(tool_choice=ToolChoice(name="WebSearch")))
    assert bare(with_own_tools(forced, settings("WebSearch"), None)) == searching
    for tools in ("", "none", "Read"):
        assert with_own_tools(searching, settings(tools), None) == with_tools(PLAIN)
        with pytest.raises(BadRequest, match="CLAUDE_PROXY_TOOLS=WebSearch") as caught:
            with_own_tools(forced, settings(tools), None)
        assert caught.value.param == "tool_choice"
    assert with_own_tools(searching, settings("all"), None, "laptop") == with_tools(PLAIN)
    with pytest.raises(BadRequest, match="CLAUDE_PROXY_TOOLS_FOR=laptop"):
        with_own_tools(forced, settings("all"), None, "laptop")


def test_user_and_tool_text_detect_nothing():
    """OpenClaw's prompt in a user's message is a user's message."""
    quoting = msgspec.structs.replace(PLAIN, messages=(Message("user", (TextBlock(CLAW.system),)),))
    assert with_own_tools(quoting, settings("all"), None).system == quoting.system


def test_root(monkeypatch):
    """As root the CLI would refuse to start; the client is told what to do, and other modes are let through."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    unnamed = settings("all", CLAUDE_PROXY_PASS_ENV="")
    with pytest.raises(Forbidden, match="CLAUDE_PROXY_PERMISSION_MODE=acceptEdits"):
        with_own_tools(PLAIN, unnamed, None)
    assert tools_of(with_own_tools(with_tools(PLAIN), unnamed, None)) == ()
    careful = settings("all", CLAUDE_PROXY_PASS_ENV="", CLAUDE_PROXY_PERMISSION_MODE="dontask")
    assert careful.permission_mode == "dontAsk"
    assert tools_of(with_own_tools(PLAIN, careful, None)) == ALL
    monkeypatch.setattr(os, "geteuid", lambda: 501)
    assert tools_of(with_own_tools(PLAIN, unnamed, None)) == ALL


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
            with_own_tools(conversation, settings("WebSearch"), None)
    else:
        assert with_own_tools(conversation, settings("WebSearch"), None).tools == tools
    without = msgspec.structs.replace(conversation, own_tools=())
    assert with_own_tools(without, settings("none"), None).tools == tools


HOME_SERVER = McpServer(name="home", command="home")
NOTES = Agent(
    name="notes",
    model="haiku",
    tools=("Read", "Bash"),
    allowed=("Read(./**)", "Bash(git log:*)"),
    servers=(HOME_SERVER,),
    keys=("agent",),
    system="From my notes.",
    effort="high",
    show="names",
)


def as_notes(conversation, asked=None, agent=NOTES):
    return agent_turns.with_agent(conversation, settings(), agent, asked, "agent")


def test_an_agent():
    """A turn of an agent has its tools and servers, its words before the client's, and its effort unless one asks."""
    found = as_notes(PLAIN)
    assert found.workplace == Workplace(NOTES, NOTES.tools, NOTES.servers)
    assert found.workplace.usual
    assert (found.system, found.options.effort, found.show) == ("From my notes.\n\nBe kind.", "high", "names")
    hurried = msgspec.structs.replace(PLAIN, options=Options(effort="low"), system="")
    assert (as_notes(hurried).options.effort, as_notes(hurried).system) == ("low", "From my notes.")


def test_less_of_an_agent():
    """A client may ask for some of its tools and servers, or none; then it has a plain chat with the agent's words."""
    assert as_notes(PLAIN, "Read, Edit").workplace == Workplace(NOTES, ("Read",))
    assert as_notes(PLAIN, "mcp:home").workplace == Workplace(NOTES, (), (HOME_SERVER,))
    assert not as_notes(PLAIN, "mcp:home").workplace.usual
    quiet = msgspec.structs.replace(PLAIN, options=Options(tool_choice=ToolChoice(forbidden=True)))
    talks = Agent(name="plain", model="haiku", system="From my notes.")
    for found in (as_notes(PLAIN, "none"), as_notes(quiet), as_notes(PLAIN, agent=talks)):
        assert (found.workplace, found.system) == (None, "From my notes.\n\nBe kind.")


def test_a_client_s_tools_beside_an_agent_s():
    """They come on top; one of the same name stands in the agent's place, and OpenClaw's give way where it says so."""
    mine = (*LOOK, ToolDefinition("Bash", "", {"type": "object"}))
    found = as_notes(msgspec.structs.replace(PLAIN, tools=mine))
    assert (found.tools, found.workplace.tools) == (mine, ("Read",))
    assert as_notes(with_tools(CLAW)).tools == LOOK
    mapped = as_notes(with_tools(CLAW), agent=dataclasses.replace(NOTES, openclaw="map"))
    assert (mapped.tools, mapped.system) == ((), f"From my notes.\n\n{openclaw.adapted(CLAW.system)}")


def test_a_search_of_an_agent():
    """A web search that the client's API would make is the agent's, where it may search."""
    searching = msgspec.structs.replace(PLAIN, own_tools=("WebSearch",))
    assert as_notes(searching).own_tools == ()
    forced = msgspec.structs.replace(searching, options=Options(tool_choice=ToolChoice(name="WebSearch")))
    with pytest.raises(BadRequest, match="its name among the `tools` of the agent notes does"):
        as_notes(forced)
    searches = dataclasses.replace(NOTES, tools=("WebSearch",))
    assert as_notes(searching, agent=searches).own_tools == ("WebSearch",)
