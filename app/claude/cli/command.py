"""How the CLI is started, for a plain chat or with tools of its own: its arguments and its environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from app.claude.cli import out_of_reach
from app.config import Settings

BASE = (
    "--print",
    "--input-format=stream-json",
    "--output-format=stream-json",
    "--verbose",
    "--include-partial-messages",
    "--disable-slash-commands",
    "--no-session-persistence",
)
# Nothing of Claude Code's own: no tools, settings, MCP servers, commands or transcript on disk. The API request of a
# one-line chat shrinks from 50 kB to 2 kB, and a chat can touch nothing on this machine. The client's tools, which
# claude.tools serves, need no permission: they run at the client.
CHAT = ("--tools=", "--allowedTools=mcp__client", "--setting-sources=", "--strict-mcp-config")
DEFAULTS = {
    # Ten retries take minutes; our clients have retries and patience of their own.
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
    # Beside the CLI's own tools it tells the API of the client's; a description is the client's to bound. Characters;
    # known from a version between 2.1.260 and 2.1.300 on, older ones cut it.
    "CLAUDE_CODE_MAX_MCP_DESCRIPTION_LENGTH": "10000000",
    # A child must not replace the binary under a running server.
    "DISABLE_AUTOUPDATER": "1",
    # A call waits as long as we let it wait. Milliseconds; a larger number than a timer takes would mean none at all.
    "MCP_TOOL_TIMEOUT": "2000000000",
    # A result is the client's to bound: the model gets it whole.
    "MAX_MCP_OUTPUT_TOKENS": "1000000000",
    # Over-long is an error to the client, not a reason to summarise behind its back.
    "DISABLE_AUTO_COMPACT": "1",
}


NO_AGENTS = "CLAUDE_AGENT_SDK_DISABLE_BUILTIN_AGENTS"
# With tools of its own the CLI must do nothing that goes on when the turn is over.
AGENT = {
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    "CLAUDE_CODE_DISABLE_CRON": "1",
}


def argv(binary: Path, model: str) -> list[str]:
    """Return the command line of a process that waits for `initialize`."""
    return [str(binary), *BASE, *CHAT, f"--model={model}"]


def environment(allowed: Mapping[str, str]) -> dict[str, str]:
    """Return the child's whole environment, from what the settings let through."""
    return {**DEFAULTS, **allowed, **FIXED, NO_AGENTS: "1"}


def agent_argv(binary: Path, model: str, tools: Sequence[str], settings: Settings) -> list[str]:
    """Return the command line of a process whose own `tools` work on this machine, as far as the settings let them."""
    sources = settings.setting_sources
    return [
        str(binary),
        *BASE,
        f"--tools={','.join(tools)}",
        f"--permission-mode={settings.permission_mode}",
        "--allowedTools=mcp__client",
        f"--setting-sources={','.join(sources)}",
        f"--settings={out_of_reach.settings_argument(settings)}",
        # Who asks for these settings wants the MCP servers in them.
        *(() if sources else ("--strict-mcp-config",)),
        f"--model={model}",
    ]


def agent_environment(allowed: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of such a process, which its tools see as well."""
    return {**DEFAULTS, **allowed, **FIXED, **AGENT}
