"""What a message of one side holds, in the API's own blocks, which are checked as the API checks them."""

from __future__ import annotations

from typing import Any

from app.conversation import Block, RedactedThinkingBlock, ThinkingBlock, ToolResultBlock, ToolUseBlock
from app.dialects.anthropic import content
from app.dialects.fields import function_name, invalid, mapping, shown, string
from app.dialects.message_list import ToolRounds

USERS = (*content.KINDS, "tool_result")
ASSISTANTS = ("text", "thinking", "redacted_thinking", "tool_use")
# What an agent does is shown as thinking with this for a signature: the API would refuse it, so it is known when it
# comes back.
SHOWN = "shown-by-claude-max-api-proxy"
# Blocks of tools that Anthropic runs: only Anthropic can read their results, and nothing here could run them again.
OTHERS = (
    "server_tool_use",
    "mcp_tool_use",
    "mcp_tool_result",
    "container_upload",
    "compaction",
    "fallback",
)
OTHERS_END = "_tool_result"


def asked(block: dict[str, Any], param: str, rounds: ToolRounds, ignored: list[str]) -> list[Block]:
    """Return what a block of the user's says, a result of a tool included. Raises BadRequest naming the field."""
    if block.get("type") == "tool_result":
        return [*result(block, param, rounds)]
    if _is_other(block):
        ignored.append(f"messages.{block['type']}")
        return []
    found = content.read(block, param, USERS)
    return [] if found is None else [found]


def said(block: dict[str, Any], param: str, rounds: ToolRounds, ignored: list[str]) -> list[Block]:
    """Return what a block of the assistant's says, thinks or calls. Raises BadRequest naming the field."""
    match block.get("type"):
        case "text":
            found = content.read(block, param, ASSISTANTS)
            return [] if found is None else [found]
        case "thinking":
            thinking = string(block.get("thinking"), f"{param}.thinking")
            signature = block.get("signature")
            # An answer that broke off has no signature, and without one the API takes no thinking.
            if not signature or signature == SHOWN:
                return []
            return [ThinkingBlock(thinking, string(signature, f"{param}.signature"))]
        case "redacted_thinking":
            return [RedactedThinkingBlock(string(block.get("data"), f"{param}.data"))]
        case "tool_use":
            return [*call(block, param, rounds)]
        case kind if _is_other(block):
            ignored.append(f"messages.{kind}")
            return []
        case kind:
            raise invalid(f"{param}.type", f"{shown(kind)} is not supported here, only {', '.join(ASSISTANTS)}")


def without_mere_thoughts(blocks: list[Block]) -> list[Block]:
    """Return the assistant's blocks, or none where all are thoughts: the API takes no message of thoughts alone."""
    return blocks if any(not isinstance(block, ThinkingBlock | RedactedThinkingBlock) for block in blocks) else []


def result(block: dict[str, Any], param: str, rounds: ToolRounds) -> list[ToolResultBlock]:
    """Return the result that a block carries, or nothing if it is a repetition. Raises BadRequest naming the field."""
    failed = block.get("is_error")
    if not isinstance(failed, bool | None):
        raise invalid(f"{param}.is_error", "must be true or false")
    given = block.get("content")
    inner = [] if given is None else content.contents(given, f"{param}.content", content.RESULTS)
    return rounds.result(block.get("tool_use_id"), inner, f"{param}.tool_use_id", is_error=bool(failed))


def call(block: dict[str, Any], param: str, rounds: ToolRounds) -> list[ToolUseBlock]:
    """Return the call that a block makes, or nothing if it is a repetition. Raises BadRequest naming the field."""
    name = function_name(block.get("name"), f"{param}.name")
    given = block.get("input")
    return rounds.call(block.get("id"), name, mapping({} if given is None else given, f"{param}.input"), f"{param}.id")


def _is_other(block: dict[str, Any]) -> bool:
    kind = block.get("type")
    return isinstance(kind, str) and (kind in OTHERS or kind.endswith(OTHERS_END))
