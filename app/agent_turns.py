"""Which turns may use Claude Code's own tools on this machine: the operator says it, a client may only ask for less.

Permission depends on the settings and on the API key that asks, never on what a text says. OpenClaw's prompt is
recognised for one purpose: a turn that may have the tools anyway gets that prompt adapted to them.
"""

from __future__ import annotations

import functools
import logging
import os
import unicodedata
from collections.abc import Iterable
from typing import Any

import msgspec

from app import openclaw
from app.config import ANYONE, Settings
from app.conversation import Conversation, ToolChoice
from app.errors import BadRequest, Forbidden

# What `all` stands for. Named one by one: a newer CLI may bring tools that work in the background, on a schedule or
# with other machines, and nobody would be there to see them. The CLI ignores names it does not have.
ALL = tuple(
    """
    Agent Task Bash Edit Glob Grep NotebookEdit Read TaskCreate TaskGet TaskList TaskUpdate TodoWrite WebFetch WebSearch
    Write
    """.split()
)
# What stands in for a tool that a client's API would run, by the beginning of the tool's type, which is often dated.
STAND_INS = {"web_search": "WebSearch"}

log = logging.getLogger(__name__)
# What the CLI takes out of the texts of an MCP server's tools, by the classes of Unicode; and what is text alone.
INVISIBLE = frozenset({"Cf", "Co", "Cn"})
WORDS = frozenset({"title", "description", "$comment"})


def staffed(conversation: Conversation, settings: Settings, asked: str | None, key: str | None) -> Conversation:
    """Return the conversation with the tools of Claude Code's own that it may use, most often none.

    `key` is the name of the API key that asks, None on a server without keys. `asked` names the tools a client wants,
    as `none` or a list with commas; without it the client wants what there is.
    Tools that the conversation names already stand in for its client's, and those that the operator does not allow are
    left out. Raises BadRequest where the client forces one of them, and Forbidden where the CLI would refuse to run
    without asking for permission.
    """
    if conversation.own_tools:
        return _as_named(conversation, settings, key)
    if not conversation.goes_on or conversation.options.tool_choice.forbidden:
        return conversation
    mapped = _is_mapped(conversation, settings)
    tools = allowed(settings, key)
    if mapped and not tools:
        _tell_once(key)
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


def allowed(settings: Settings, key: str | None) -> tuple[str, ...]:
    """Return the tools that a caller may have, who is known by the name of an API key, None without keys."""
    named = settings.tools_for
    return usual(settings) if named == ANYONE or (key is not None and key in named) else ()


def usual(settings: Settings) -> tuple[str, ...]:
    """Return the tools of a turn that may have some and asks for no less."""
    return ALL if settings.tools == ("all",) else settings.tools


def _as_named(conversation: Conversation, settings: Settings, key: str | None) -> Conversation:
    may_run = allowed(settings, key)
    tools = tuple(tool for tool in conversation.own_tools if tool in may_run)
    options = conversation.options
    forced = options.tool_choice.name
    if forced in conversation.own_tools:
        if forced not in tools:
            raise BadRequest(
                f"tool_choice: Claude Code's {forced} would run on this server's machine, which its operator does not "
                f"allow; CLAUDE_PROXY_TOOLS={forced} with CLAUDE_PROXY_TOOLS_FOR={key or 'anyone'} does.",
                param="tool_choice",
                code="tool_not_allowed",
            )
        # It runs within the turn, so that the answer is no call of it.
        options = msgspec.structs.replace(options, tool_choice=ToolChoice())
    if tools:
        _check_user(settings)
        _check_parameters(conversation)
    return msgspec.structs.replace(conversation, own_tools=tools, options=options)


def _check_parameters(conversation: Conversation) -> None:
    for tool in conversation.tools:
        if (word := _changed(tool.input_schema)) is not None:
            raise BadRequest(
                f"tools: {word!r} in the parameters of {tool.name!r} would reach the model in other characters, beside "
                "Claude Code's own tools; without those (web_search) it reaches it as it is.",
                param="tools",
                code="invalid_value",
            )


def _changed(node: Any) -> str | None:
    """Return a name or a value in a schema that the CLI would normalise; what describes it may be."""
    if isinstance(node, str):
        plain = unicodedata.normalize("NFKC", node)
        return node if plain != node or any(unicodedata.category(char) in INVISIBLE for char in node) else None
    parts: Iterable[Any] = node if isinstance(node, list) else ()
    if isinstance(node, dict):
        told = ((word, value) for word, value in node.items() if word not in WORDS or not isinstance(value, str))
        parts = (part for pair in told for part in pair)
    return next(filter(None, map(_changed, parts)), None)


def _is_mapped(conversation: Conversation, settings: Settings) -> bool:
    if settings.openclaw == "off" or (conversation.tools and settings.openclaw != "map"):
        return False
    return openclaw.detect(conversation.system)


@functools.cache
def _tell_once(key: str | None) -> None:
    log.warning(
        "OpenClaw's prompt came without tools, and%s may not use Claude Code's, so it can only talk; "
        "`claude-max-api config openclaw` says how to allow them",
        f" the API key {key}" if key is not None else " its caller",
    )


def _check_user(settings: Settings) -> None:
    if settings.permission_mode == "bypassPermissions" and os.geteuid() == 0 and not _is_sandbox(settings):
        raise Forbidden(
            "claude does not run its own tools as root without asking; run this server as another user, or set "
            "CLAUDE_PROXY_PERMISSION_MODE=acceptEdits, or CLAUDE_PROXY_TOOLS=none for chats without them.",
            code="agent_as_root",
        )


def _is_sandbox(settings: Settings) -> bool:
    return settings.cli_environ.get("IS_SANDBOX", "") not in {"", "0"}
