"""How an agent's row of the table becomes part of a turn. The operator decides; a client may only ask for less.

Permission depends on the table and on the API key that asks, never on what a text says. OpenClaw's prompt is recognised
for one purpose: a turn that may have the tools anyway gets that prompt adapted to them.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import os
import unicodedata
from collections.abc import Iterable
from typing import Any

import msgspec

from app import openclaw
from app.agents import folders
from app.agents.agent import Agent, Workplace
from app.config import Settings
from app.conversation import Conversation, ToolChoice
from app.errors import BadRequest, Forbidden

# What stands in for a tool that a client's API would run, by the beginning of the tool's type, which is often dated.
STAND_INS = {"web_search": "WebSearch"}
OF_SERVER = "mcp:"
# Of a client's words, in characters.
MAX_SHOWN = 100

log = logging.getLogger(__name__)
# What the CLI takes out of the texts of an MCP server's tools, by the classes of Unicode; and what is text alone.
INVISIBLE = frozenset({"Cf", "Co", "Cn"})
WORDS = frozenset({"title", "description", "$comment"})


def with_agent(
    conversation: Conversation,
    settings: Settings,
    agent: Agent | None,
    asked: str | None,
    key: str | None,
) -> Conversation:
    """Return the conversation as an agent has it; without one that is named, as the settings' own row has it.

    `key` is the name of the API key that asks, None on a server without keys; a named agent is one that it may call.
    `asked` names the tools a client wants, as `none` or a list with commas; without it the client wants what there is.
    Tools that the conversation names already stand in for its client's, and those that the operator does not allow are
    left out. Raises BadRequest where the client forces one of them, or names a folder that it cannot have, and
    Forbidden where the CLI would refuse to run without asking for permission.
    """
    if agent is None:
        return _with_own_row(conversation, settings, asked, key)
    workplace = _narrowed(Workplace(agent, agent.tools, agent.servers, _folder(agent, conversation.folder)), asked)
    if workplace.tools and _is_mapped(conversation, agent):
        conversation = msgspec.structs.replace(conversation, tools=(), system=openclaw.adapted(conversation.system))
    prompt = "\n\n".join(filter(None, (agent.system, conversation.system)))
    options = conversation.options
    if options.effort is None and agent.effort is not None:
        options = msgspec.structs.replace(options, effort=agent.effort)
    conversation = msgspec.structs.replace(conversation, system=prompt, options=options, show=agent.show)
    if conversation.own_tools:
        remedy = "its name among the `tools` of the agent " + agent.name
        conversation = _as_named(conversation, agent.tools, remedy)
    # The client's own come on top; one of the same name stands in the place of the agent's.
    theirs = {tool.name for tool in conversation.tools}
    tools = tuple(tool for tool in workplace.tools if tool not in theirs)
    if conversation.options.tool_choice.forbidden:
        tools, workplace = (), dataclasses.replace(workplace, servers=())
    # What Claude Code is to keep belongs to the agent's folder, whatever may work there.
    if not (tools or workplace.servers) and agent.sessions == "server":
        return msgspec.structs.replace(conversation, own_tools=())
    return _placed(conversation, dataclasses.replace(workplace, tools=tools), settings)


def _with_own_row(conversation: Conversation, settings: Settings, asked: str | None, key: str | None) -> Conversation:
    agent = settings.own_row
    allowed = agent.tools if agent.serves(key) else ()
    if conversation.own_tools:
        named = conversation.options.tool_choice.name
        remedy = f"CLAUDE_PROXY_TOOLS={named} with CLAUDE_PROXY_TOOLS_FOR={key or 'anyone'}"
        conversation = _as_named(conversation, allowed, remedy)
        if not conversation.own_tools:
            return conversation
        return _placed(conversation, Workplace(agent, conversation.own_tools), settings)
    if not conversation.goes_on or conversation.options.tool_choice.forbidden:
        return conversation
    mapped = _is_mapped(conversation, agent)
    if mapped and not allowed:
        _tell_once(key)
    workplace = _narrowed(Workplace(agent, allowed), asked)
    if not workplace.tools or (conversation.tools and not mapped):
        return conversation
    if mapped:
        conversation = msgspec.structs.replace(conversation, system=openclaw.adapted(conversation.system), tools=())
    return _placed(conversation, workplace, settings)


def _narrowed(workplace: Workplace, asked: str | None) -> Workplace:
    """Return a workplace with those tools alone that a client asks for."""
    if asked is None:
        return workplace
    wanted = {name.strip() for name in asked.split(",")}
    tools = tuple(tool for tool in workplace.tools if tool in wanted)
    servers = tuple(server for server in workplace.servers if f"{OF_SERVER}{server.name}" in wanted)
    return dataclasses.replace(workplace, tools=tools, servers=servers)


def _folder(agent: Agent, named: str | None) -> str | None:
    """Return the folder below an agent's workspace that a request names. Raises BadRequest."""
    if named is None:
        return None
    if not agent.folders or agent.workspace is None:
        raise BadRequest(
            f"The agent {agent.name} takes no folder; `folders = true` in its row of the server's configuration does.",
            param="metadata.folder",
            code="invalid_value",
        )
    found = folders.below(agent.workspace, named)
    if found is None:
        raise BadRequest(
            f"There is no folder {named[:MAX_SHOWN]!r} below the workspace of the agent {agent.name}.",
            param="metadata.folder",
            code="invalid_value",
        )
    return found


def _placed(conversation: Conversation, workplace: Workplace, settings: Settings) -> Conversation:
    _check_user(workplace.agent, settings)
    _check_parameters(conversation)
    return msgspec.structs.replace(conversation, workplace=workplace)


def _as_named(conversation: Conversation, may_run: tuple[str, ...], remedy: str) -> Conversation:
    """Return the conversation with those of its own tools that may run; `remedy` is what allows one."""
    tools = tuple(tool for tool in conversation.own_tools if tool in may_run)
    options = conversation.options
    forced = options.tool_choice.name
    if forced in conversation.own_tools:
        if forced not in tools:
            raise BadRequest(
                f"tool_choice: Claude Code's {forced} would run on this server's machine, which its operator does not "
                f"allow; {remedy} does.",
                param="tool_choice",
                code="tool_not_allowed",
            )
        # It runs within the turn, so that the answer has no call of it.
        options = msgspec.structs.replace(options, tool_choice=ToolChoice())
    return msgspec.structs.replace(conversation, own_tools=tools, options=options)


def _check_parameters(conversation: Conversation) -> None:
    for tool in conversation.tools:
        if (word := _changed(tool.input_schema)) is not None:
            raise BadRequest(
                f"tools: {word!r} in the parameters of {tool.name!r} would reach the model in other characters, beside "
                "Claude Code's own tools; without those (web_search, an agent) it reaches it as it is.",
                param="tools",
                code="invalid_value",
            )


def _changed(node: Any) -> str | None:
    """Return a name or a value in a schema that the CLI would normalise; what describes it may be."""
    if isinstance(node, str):
        if node.isascii():
            return None
        plain = unicodedata.normalize("NFKC", node)
        # Each character once: a schema may be long.
        return node if plain != node or any(unicodedata.category(char) in INVISIBLE for char in set(node)) else None
    parts: Iterable[Any] = node if isinstance(node, list) else ()
    if isinstance(node, dict):
        told = ((word, value) for word, value in node.items() if word not in WORDS or not isinstance(value, str))
        parts = (part for pair in told for part in pair)
    return next(filter(None, map(_changed, parts)), None)


def _is_mapped(conversation: Conversation, agent: Agent) -> bool:
    if agent.openclaw == "off" or (conversation.tools and agent.openclaw != "map"):
        return False
    return openclaw.detect(conversation.system)


@functools.cache
def _tell_once(key: str | None) -> None:
    log.warning(
        "OpenClaw's prompt came without tools, and%s may not use Claude Code's, so it can only talk; "
        "`claude-max-api config openclaw` says how to allow them",
        f" the API key {key}" if key is not None else " its caller",
    )


def _check_user(agent: Agent, settings: Settings) -> None:
    if agent.permission_mode == "bypassPermissions" and os.geteuid() == 0 and not _is_sandbox(settings):
        mode = "CLAUDE_PROXY_PERMISSION_MODE=acceptEdits" if not agent.name else 'permission_mode = "acceptEdits"'
        also = ", or CLAUDE_PROXY_TOOLS=none for chats without them" if not agent.name else ""
        raise Forbidden(
            "claude does not run its own tools as root without asking; run this server as another user, or set "
            f"{mode}{also}.",
            code="agent_as_root",
        )


def _is_sandbox(settings: Settings) -> bool:
    return settings.cli_environ.get("IS_SANDBOX", "") not in {"", "0"}
