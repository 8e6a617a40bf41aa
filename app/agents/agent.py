"""An agent, the MCP servers that it may use, and the place where its work is done."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal

from app.keys.key import EVERYBODY

PERMISSION_MODES = ("bypassPermissions", "dontAsk", "acceptEdits", "plan")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
# Which of Claude Code's tools read and write files: their rules are Read's and Edit's, it heeds no `Write(src/**)`.
# https://code.claude.com/docs/en/permissions
FILE_RULES = {"Read": "Read", "Grep": "Read", "Glob": "Read", "Edit": "Edit", "Write": "Edit", "NotebookEdit": "Edit"}
MCP = "mcp__"
RULE = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)(\(.+\))?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class McpServer:
    """An MCP server that Claude Code starts (`command`), or speaks to (`url`)."""

    name: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = dataclasses.field(default=(), repr=False)
    type: Literal["stdio", "http", "sse"] = "stdio"
    url: str = ""
    headers: tuple[tuple[str, str], ...] = dataclasses.field(default=(), repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Agent:
    """A row of the table; the one without a name is for every model, and has the tools that the settings hand out.

    `tools` are Claude Code's own by name, `allowed` the rules of those that run unasked, `keys` the names of the API
    keys that may call it. `fallback` are the models that may answer in the place of its own, None for those of its
    model. A `model` of None is the client's choice, a `workspace` of None a folder in the state folder.
    `sessions` says who keeps its conversations that have a name.
    """

    name: str
    model: str | None = None
    tools: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    servers: tuple[McpServer, ...] = ()
    keys: tuple[str, ...] = ()
    workspace: str | None = None
    permission_mode: str = "dontAsk"
    setting_sources: tuple[str, ...] = ()
    system: str = ""
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    folders: bool = False
    show: Literal["none", "names", "steps"] = "none"
    openclaw: str = "auto"
    fallback: tuple[str, ...] | None = None
    sessions: Literal["server", "claude"] = "server"

    def serves(self, key: str | None) -> bool:
        """Tell whether a caller may call it; `key` is the name of its API key, None without keys."""
        return EVERYBODY in self.keys or (key is not None and key in self.keys)

    @property
    def works(self) -> bool:
        """Whether it can do more than talk."""
        return bool(self.tools or self.servers)


@dataclasses.dataclass(frozen=True)
class Workplace:
    """What a process of an agent is started with: the agent, which of its `tools` and `servers`, and in which folder.

    No two of them share a process. `folder` is None for the agent's own.
    """

    agent: Agent
    tools: tuple[str, ...] = ()
    servers: tuple[McpServer, ...] = ()
    folder: str | None = None

    @property
    def usual(self) -> bool:
        """Whether it is what most requests for this agent want: all that it has, in its own folder."""
        return (self.tools, self.servers, self.folder) == (self.agent.tools, self.agent.servers, None)


def allowed(rules: tuple[str, ...], servers: tuple[McpServer, ...]) -> tuple[str, ...]:
    """Return Claude Code's rules for what runs unasked: of files those in the workspace, unless a rule says where.

    >>> allowed(("Grep", "Write(src/**)", "Bash(git log:*)"), ())
    ('Read(./**)', 'Edit(src/**)', 'Bash(git log:*)')
    """
    told = []
    for rule in rules:
        tool, bracket, where = rule.partition("(")
        told.append(f"{FILE_RULES[tool]}({where if bracket else './**)'}" if tool in FILE_RULES else rule)
    return tuple(dict.fromkeys((*told, *(f"{MCP}{server.name}" for server in servers))))


def changes_files(rule: str) -> bool:
    """Tell whether a rule of those `allowed` is one of the tools that write files.

    >>> changes_files("Edit(src/**)"), changes_files("Read(./**)")
    (True, False)
    """
    return rule.startswith("Edit(")
