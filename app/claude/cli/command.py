"""How the CLI is started, for a plain chat or with tools of its own: its arguments and its environment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.agents.agent import Workplace
from app.claude.cli import out_of_reach
from app.config import Settings
from app.conversation import ClaudeSession

BASE = (
    "--print",
    "--input-format=stream-json",
    "--output-format=stream-json",
    "--verbose",
    "--include-partial-messages",
    "--disable-slash-commands",
)
UNKEPT = "--no-session-persistence"
# Nothing of Claude Code's own: no tools, settings, MCP servers, commands or transcript on disk. The API request of a
# one-line chat shrinks from 50 kB to 2 kB, and a chat can touch nothing on this machine. The client's tools, which
# claude.tools serves, need no permission: they run at the client.
CHAT = ("--tools=", "--allowedTools=mcp__client", "--setting-sources=", "--strict-mcp-config")
DEFAULTS = {
    # Ten retries take minutes, and our clients retry by themselves.
    "CLAUDE_CODE_MAX_RETRIES": "3",
}
FIXED = {
    # Without it `@/etc/hosts` in a text makes the CLI read that file into the prompt.
    "CLAUDE_CODE_DISABLE_ATTACHMENTS": "1",
    # The model sees the client's own tool names instead of mcp__client__NAME.
    "CLAUDE_AGENT_SDK_MCP_NO_PREFIX": "1",
    # Never hide the client's tools behind one for searching them, not even when one of them is called ToolSearch.
    "ENABLE_TOOL_SEARCH": "false",
    # A client's tool called Bash makes the CLI add its rules for commit messages to the conversation.
    "CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS": "1",
    # Where its own tools are on, the CLI tells the API of the client's tools. It must not cut their descriptions, whose
    # length is the client's choice. In characters; versions up to 2.1.260 do not know it, and cut.
    "CLAUDE_CODE_MAX_MCP_DESCRIPTION_LENGTH": "10000000",
    # A child must not replace the binary under a running server.
    "DISABLE_AUTOUPDATER": "1",
    # A call waits as long as we let it. In milliseconds; a larger number than a timer takes would mean no wait at all.
    "MCP_TOOL_TIMEOUT": "2000000000",
    # The model gets a result whole; its length is the client's choice.
    "MAX_MCP_OUTPUT_TOKENS": "1000000000",
    # A conversation that is too long is an error for the client; the CLI must not summarise it.
    "DISABLE_AUTO_COMPACT": "1",
}


NO_AGENTS = "CLAUDE_AGENT_SDK_DISABLE_BUILTIN_AGENTS"
# With tools of its own the CLI must do nothing that goes on when the turn is over.
AGENT = {
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    "CLAUDE_CODE_DISABLE_CRON": "1",
    # How long an MCP server may take to start, in milliseconds: uvx and npx fetch it first.
    "MCP_TIMEOUT": "60000",
}


def argv(binary: Path, model: str) -> list[str]:
    """Return the command line of a process that waits for `initialize`."""
    return [str(binary), *BASE, UNKEPT, *CHAT, f"--model={model}"]


def environment(allowed: Mapping[str, str]) -> dict[str, str]:
    """Return the child's whole environment, from what the settings let through."""
    return {**DEFAULTS, **allowed, **FIXED, NO_AGENTS: "1"}


def agent_argv(
    binary: Path,
    model: str,
    workplace: Workplace,
    settings: Settings,
    *,
    servers: Path | None = None,
    kept: ClaudeSession | None = None,
) -> list[str]:
    """Return the command line of an agent's process; `servers` is the file that names its MCP servers.

    It goes on with the session `kept`, or begins it, and writes its transcript; without one it writes none.
    """
    agent = workplace.agent
    sources = agent.setting_sources
    return [
        str(binary),
        *BASE,
        UNKEPT if kept is None else f"--{'session-id' if kept.transcript is None else 'resume'}={kept.id}",
        f"--tools={','.join(workplace.tools)}",
        f"--permission-mode={agent.permission_mode}",
        "--allowedTools=mcp__client",
        f"--setting-sources={','.join(sources)}",
        f"--settings={out_of_reach.settings_argument(settings, agent.allowed)}",
        # An operator who lets these settings in wants the MCP servers in them.
        *(() if sources else ("--strict-mcp-config",)),
        *(() if servers is None else (f"--mcp-config={servers}",)),
        f"--model={model}",
    ]


def agent_environment(allowed: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of such a process, which its tools see as well."""
    return {**DEFAULTS, **allowed, **FIXED, **AGENT}
