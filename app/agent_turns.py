"""Which turns may use Claude Code's own tools on this machine: the operator says it, a client may only ask for less.

Plain chats have none. OpenClaw's prompt without OpenClaw's tools is adapted to Claude Code's.
"""

from __future__ import annotations

import os

import msgspec

from app import openclaw
from app.config import Settings
from app.conversation import Conversation
from app.errors import BadRequest, Forbidden

# What `all` stands for. Named one by one: a newer CLI may bring tools that work in the background, on a schedule or
# with other machines, and nobody would be there to see them. The CLI ignores names it does not have.
ALL = tuple(
    """
    Agent Task Bash Edit Glob Grep NotebookEdit Read TaskCreate TaskGet TaskList TaskUpdate TodoWrite WebFetch WebSearch
    Write
    """.split()
)
NONE = "none"


def staffed(conversation: Conversation, settings: Settings, asked: str | None) -> Conversation:
    """Return the conversation with the tools of Claude Code's own that it may use, most often none.

    `asked` names the tools a client wants, as `none` or a list with commas; without it the client wants what there is.
    Tools that the conversation names already it needs, beside its client's. Raises BadRequest where the operator does
    not allow them, and Forbidden where the CLI would refuse to run without asking for permission.
    """
    if conversation.own_tools:
        return _as_named(conversation, settings)
    if not conversation.goes_on or conversation.options.tool_choice.forbidden:
        return conversation
    mapped = _is_mapped(conversation, settings)
    tools = _allowed(settings, mapped=mapped)
    if asked is not None:
        wanted = {name.strip() for name in asked.split(",")}
        tools = tuple(tool for tool in tools if tool in wanted)
    if not tools or (conversation.tools and not mapped):
        return conversation
    _check_user(settings)
    if not mapped:
        return msgspec.structs.replace(conversation, own_tools=tools)
    system = openclaw.adapted(conversation.system)
    return msgspec.structs.replace(conversation, system=system, tools=(), own_tools=tools)


def _as_named(conversation: Conversation, settings: Settings) -> Conversation:
    missing = set(conversation.own_tools).difference(_allowed(settings, mapped=False))
    if missing:
        names = ",".join(sorted(missing))
        raise BadRequest(
            f"tools: Claude Code's {names} would run on this server's machine, which its operator does not allow; "
            f"CLAUDE_PROXY_TOOLS={names} does.",
            param="tools",
            code="tool_not_allowed",
        )
    _check_user(settings)
    return conversation


def usual(settings: Settings) -> tuple[str, ...]:
    """Return the tools of an agent turn whose client asks for no less."""
    return _allowed(settings, mapped=True)


def _is_mapped(conversation: Conversation, settings: Settings) -> bool:
    if settings.openclaw == "off" or (conversation.tools and settings.openclaw != "map"):
        return False
    return openclaw.detect(conversation.system)


def _allowed(settings: Settings, *, mapped: bool) -> tuple[str, ...]:
    match settings.tools:
        case ("none",):
            return ()
        case ("openclaw",):
            return ALL if mapped else ()
        case ("all",):
            return ALL
    return settings.tools


def _check_user(settings: Settings) -> None:
    if settings.permission_mode == "bypassPermissions" and os.geteuid() == 0 and not _is_sandbox(settings):
        raise Forbidden(
            "claude does not run its own tools as root without asking; run this server as another user, or set "
            "CLAUDE_PROXY_PERMISSION_MODE=acceptEdits, or CLAUDE_PROXY_TOOLS=none for chats without them.",
            code="agent_as_root",
        )


def _is_sandbox(settings: Settings) -> bool:
    return settings.cli_environ.get("IS_SANDBOX", "") not in {"", "0"}
