"""The operator's table of agents: read from the configuration file, checked, and asked by a model's name."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from typing import Any

from app.agents.agent import EFFORTS, PERMISSION_MODES, RULE, Agent, McpServer, allowed, changes_files
from app.agents.row import Row, meant, rows
from app.config_file import ConfigFile
from app.keys.key import EVERYBODY
from app.keys.key import NAME as KEY_NAME
from app.setting_parsers import ALL_TOOLS

TABLES = ("agents", "mcp", "models")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
# A tool of its is called mcp__NAME__TOOL.
SERVER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]|_(?=[A-Za-z0-9-])){0,63}")
# What the CLI calls a model by other names than these is up to the login; a slip of one of these is not.
FAMILIES = ("opus", "sonnet", "haiku")
MODEL = re.compile(rf"(?:claude-)?(?:{'|'.join(FAMILIES)})(?:[0-9.-].*|\[1m\]|-max)?|claude[-_ ].*|default")
OUR_SERVER = "client"
OF_SERVER = "mcp:"


@dataclasses.dataclass(frozen=True)
class AgentTable:
    """The agents by name, and the models that may answer in the place of which, by its name.

    `doubts` are sentences about what can be used but is hardly meant.
    """

    agents: Mapping[str, Agent] = dataclasses.field(default_factory=dict)
    servers: Mapping[str, McpServer] = dataclasses.field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    fallbacks: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def find(self, name: str) -> Agent | None:
        """Return the agent that a model's name means, or None."""
        return self.agents.get(name)

    def of(self, key: str | None) -> list[Agent]:
        """Return those that the holder of a key may call; `key` is its name, None without keys."""
        return [agent for agent in self.agents.values() if agent.serves(key)]


def parse(
    file: ConfigFile,
    environ: Mapping[str, str],
    openclaw: str,
    known_keys: Collection[str] | None,
    mistakes: list[str],
) -> AgentTable:
    """Return the table of a file; `mistakes` gets a sentence for whatever is wrong with it.

    `openclaw` is what a row says that says nothing of it, `known_keys` are the names of the API keys there are, None
    where that is not known.
    """
    servers = {row.name: _server(row, environ) for row in rows(file, "mcp", mistakes)}
    doubts: list[str] = []
    agents = {}
    agent_rows = list(rows(file, "agents", mistakes))
    named = {row.name for row in agent_rows}
    for row in agent_rows:
        agents[row.name] = agent = _agent(row, servers, named, openclaw)
        for key in agent.keys:
            if known_keys is not None and key != EVERYBODY and key not in known_keys:
                place = file.place("agents", row.name, "keys")
                doubts.append(f"{place}: no API key is called {key}; `claude-max-api key add {key}` makes one")
    fallbacks = {row.name: _model(row, named) for row in rows(file, "models", mistakes)}
    return AgentTable(agents, servers, tuple(doubts), fallbacks)


def _agent(row: Row, servers: Mapping[str, McpServer], agents: Collection[str], openclaw: str) -> Agent:
    name = row.name
    if not NAME.fullmatch(name):
        row.wrong(f"{name!r} can name no agent: it takes small letters, digits, '.', '_' and '-'")
    elif MODEL.fullmatch(name):
        row.wrong(f"{name} is the name of a model; an agent needs another")
    model = row.text("model")
    if not row.has("model"):
        row.wrong('model is missing: what answers, such as model = "sonnet"')
    elif not MODEL.fullmatch(model.lower()) and (near := meant(model, FAMILIES)).startswith("did"):
        row.wrong(f"model = {model!r} is no model; {near}", "model")
    tools, rules, used = _tools(row, servers)
    mode = row.word("permission_mode", PERMISSION_MODES, "dontAsk")
    if mode == "bypassPermissions" and any("(" in rule for rule in rules):
        sentence = "bypassPermissions lets all of a tool run, whatever stands in brackets; take dontAsk"
        row.wrong(sentence, "permission_mode")
    agent = Agent(
        name=name,
        model=model,
        tools=tools,
        # Who plans has no tool that writes files; commands and MCP servers that are named run.
        allowed=tuple(rule for rule in allowed(rules, used) if mode != "plan" or not changes_files(rule)),
        servers=used,
        keys=_keys(row),
        workspace=row.folder("workspace"),
        permission_mode=mode,
        system=row.text("system"),
        effort=row.word("effort", EFFORTS, None),
        folders=row.switch("folders"),
        show=row.word("show", ("none", "names", "steps"), "none"),
        openclaw=row.word("openclaw", ("auto", "map", "off"), openclaw),
        fallback=_fallback(row, model, agents),
        sessions=row.word("sessions", ("server", "claude"), "server"),
    )
    if agent.folders and agent.workspace is None:
        row.wrong("folders = true needs a workspace, below which the folders are", "folders")
    if agent.sessions == "claude" and agent.workspace is None:
        row.wrong('sessions = "claude" needs a workspace, in which `claude --resume` finds them', "sessions")
    row.end()
    return agent


def _model(row: Row, agents: Collection[str]) -> tuple[str, ...]:
    """Return the models that may answer in the place of a row's."""
    if not MODEL.fullmatch(row.name.lower()) or row.name == "default":
        row.wrong(f"{row.name!r} is no model; {meant(row.name, FAMILIES)}")
    elif not row.has("fallback"):
        row.wrong('fallback is missing: what answers in its place, such as fallback = ["haiku"]')
    fallback = _fallback(row, row.name, agents)
    row.end()
    return fallback or ()


def _fallback(row: Row, model: str, agents: Collection[str]) -> tuple[str, ...] | None:
    """Return the models that may answer in the place of another, None where the row says nothing of it."""
    names = row.texts("fallback")
    for name in names:
        if name in agents:
            row.wrong(f"fallback names the agent {name}; it takes models: name {name}'s", "fallback")
        elif not MODEL.fullmatch(name.lower()) or name == "default":
            row.wrong(f"fallback names {name!r}, which is no model; {meant(name, FAMILIES)}", "fallback")
        elif name.lower() == model.lower():
            row.wrong(f"fallback names {name}, the model itself; leave it out", "fallback")
    return names if row.has("fallback") else None


def _keys(row: Row) -> tuple[str, ...]:
    if not row.has("keys"):
        row.wrong('keys is missing: who may call it, names of API keys such as keys = ["laptop"], or "anyone"')
    given = row.values.get("keys")
    if isinstance(given, str):
        names: tuple[str, ...] = (row.text("keys").strip(),)
    else:
        names = row.texts("keys")
    for name in names:
        if name.lower() == EVERYBODY != name:
            row.wrong(f'keys names {name!r}, which no API key can be called; did you mean "{EVERYBODY}"?', "keys")
        elif not re.fullmatch(KEY_NAME, name):
            sentence = f"keys names {name!r}, which no API key can be called"
            row.wrong(f'{sentence}; it takes a list of names, or "anyone"', "keys")
    return names


def _tools(
    row: Row, servers: Mapping[str, McpServer]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[McpServer, ...]]:
    """Return Claude Code's own tools by name, the rules, and the MCP servers."""
    names: list[str] = []
    rules: list[str] = []
    used: list[McpServer] = []
    for word in row.texts("tools"):
        server = word.removeprefix(OF_SERVER)
        found = RULE.fullmatch(word)
        if word == "all":
            names += ALL_TOOLS
            rules += ALL_TOOLS
        elif server != word:
            if server in servers:
                used.append(servers[server])
            else:
                hint = meant(server, servers) if servers else f"write a table [mcp.{server}]"
                row.wrong(f"tools names the MCP server {server}, which is not in this file; {hint}", "tools")
        elif found is not None and found[1] in ALL_TOOLS:
            names.append(found[1])
            rules.append(word)
        else:
            hint = meant(found[1] if found else word, ALL_TOOLS)
            sentence = f"tools names {word!r}, which is no tool of Claude Code's; {hint}"
            row.wrong(f'{sentence}; an MCP server is "mcp:NAME"', "tools")
    return tuple(dict.fromkeys(names)), tuple(dict.fromkeys(rules)), tuple(dict.fromkeys(used))


def _server(row: Row, environ: Mapping[str, str]) -> McpServer:
    name = row.name
    if not SERVER.fullmatch(name) or name == OUR_SERVER:
        takes = "letters, digits, '-' and, one by one between them, '_'"
        row.wrong(f"{name!r} can name no MCP server: it takes {takes}, and not {OUR_SERVER}")
    local = row.has("command")
    if local == row.has("url"):
        row.wrong("an MCP server has either a command, which is started here, or a url")
    kinds = ("stdio",) if local else ("http", "sse")
    given: dict[str, Any] = {
        "command": row.text("command"),
        "args": tuple(row.expanded("args", part, environ) for part in row.texts("args")),
        "env": row.pairs("env", environ),
        "type": row.word("type", kinds, kinds[0]),
        "url": row.expanded("url", row.text("url"), environ),
        "headers": row.pairs("headers", environ),
    }
    for key in ("url", "headers") if local else ("command", "args", "env"):
        if row.has(key) and not (local and key == "url"):
            row.wrong(f"{key} has no effect beside {'command' if local else 'url'}; leave it out", key)
    if given["url"] and not re.match(r"https?://[^/\s]", given["url"]):
        row.wrong(f"url = {row.text('url')!r} is no address; it begins with http:// or https://", "url")
    row.end()
    return McpServer(name=name, **given)
