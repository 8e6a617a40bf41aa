"""Whether the Messages API would take a request: as strict as the real one, in its words.

Rules and wording come from https://docs.claude.com/en/api/messages, from the API's known answers, and from the patterns
by which the CLI (2.1.330) recognises them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping
from typing import Any

from app.standin import content, pairing, refusal, tool, window
from app.standin.refusal import Refusal

__all__ = ["MAX_BODY_BYTES", "Refusal", "authenticated", "check", "not_json"]

# Bytes of a body, and cache breakpoints in it.
MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_BREAKPOINTS = 4
KEYS = {
    # What the CLI sends (2.1.197 and 2.1.330, recorded), first as it comes and then by CLAUDE_CODE_EXTRA_BODY.
    "model", "messages", "system", "tools", "metadata", "max_tokens", "thinking", "context_management",
    "output_config", "stream",
    "tool_choice", "stop_sequences", "temperature", "top_p", "top_k", "service_tier",
    # What else the API knows.
    "cache_control", "container", "diagnostics", "inference_geo", "mcp_servers", "output_format", "speed",
}  # fmt: skip
# To later models than these the CLI sends its notes as messages of the role "system": 2.1.197 with a beta, 2.1.330
# without. An effort of its own in such a message still takes a beta.
SYSTEMLESS = re.compile(r"claude-(3.*|(haiku|sonnet|opus)-4(-[1-7])?(-\d{8})?)")
EFFORT_BETA = "per-turn-control"
# 2.1.300 describes its permissions to a classifier of the API's, with a beta.
SAFEGUARDS_BETA = "dangerous-tool-use"


def authenticated(headers: Mapping[str, str]) -> None:
    """Raise Refusal (401) when `headers` carry neither a bearer token nor an API key."""
    scheme, _, token = (headers.get("authorization") or "").partition(" ")
    if not (scheme.lower() == "bearer" and token.strip()) and not headers.get("x-api-key"):
        raise Refusal(401, "authentication_error", "x-api-key header is required")


def check(body: Any, size: int, betas: Collection[str] = ()) -> None:
    """Raise Refusal unless `body`, `size` bytes long and sent with these `betas`, is a request the API would accept."""
    if size > MAX_BODY_BYTES:
        raise Refusal(413, "request_too_large", "Request exceeds the maximum size")
    if not isinstance(body, dict):
        raise not_json()
    refusal.mapping(body, "", _known(betas), ["model", "max_tokens", "messages"])
    model = refusal.string(body["model"], "model")
    if not model.startswith("claude-"):
        raise Refusal(404, "not_found_error", f"model: {model}")
    refusal.integer(body["max_tokens"], "max_tokens", 1)
    _check_messages(body["messages"], _keys(model, betas))
    _check_system(body.get("system"))
    thinking = _check_thinking(body)
    names = tool.check(body.get("tools", []))
    if body.get("tool_choice") is not None:
        tool.check_choice(body["tool_choice"], names, thinking=thinking)
    _check_sampling(body, thinking=thinking)
    _check_breakpoints(body)
    window.check(body, betas)


def not_json() -> Refusal:
    """Return the refusal of a body that is no JSON object."""
    return refusal.invalid("The request body is not valid JSON: an object is required")


def _known(betas: Collection[str]) -> set[str]:
    """Return the keys that a body may have."""
    return KEYS | {"safeguards"} if any(beta.startswith(SAFEGUARDS_BETA) for beta in betas) else KEYS


def _keys(model: str, betas: Collection[str]) -> dict[str, set[str]]:
    """Return the roles that `model` knows and the keys that their messages may have."""
    keys = {"user": {"role", "content"}, "assistant": {"role", "content"}}
    if not SYSTEMLESS.fullmatch(model):
        effort = any(beta.startswith(EFFORT_BETA) for beta in betas)
        keys["system"] = {"role", "content", "output_config"} if effort else {"role", "content"}
    return keys


def _check_messages(messages: Any, keys: Mapping[str, set[str]]) -> None:
    if not refusal.listing(messages, "messages"):
        raise refusal.invalid("messages: at least one message is required")
    for index, message in enumerate(messages):
        _check_message(message, index, keys, last=index == len(messages) - 1)
    if messages[0]["role"] != "user":
        raise refusal.invalid('messages: first message must use the "user" role')
    pairing.check(messages)
    if next(message["role"] for message in reversed(messages) if message["role"] != "system") == "assistant":
        raise refusal.invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    for index, (before, message) in enumerate(itertools.pairwise(messages), start=1):
        if message["role"] == "system" and before["role"] == "assistant":
            raise refusal.invalid(f"messages.{index}: role 'system' must follow a user message")


def _check_message(message: Any, index: int, keys: Mapping[str, set[str]], *, last: bool) -> None:
    place = f"messages.{index}"
    role = refusal.mapping(message, place, required=["role", "content"])["role"]
    if role == "system" and role not in keys:
        raise refusal.invalid(
            'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, not "system" '
            "as an input message role."
        )
    if not isinstance(role, str) or role not in keys:
        raise refusal.invalid(f"{place}.role: Input should be 'user' or 'assistant'")
    refusal.mapping(message, place, keys[role])
    content.check(message["content"], role, f"{place}.content")
    # Claude Code sends a system message without content where it only sets the effort.
    bare = role == "system" and "output_config" in message
    if not message["content"] and not bare and not (last and role == "assistant"):
        raise refusal.invalid(
            f"{place}: all messages must have non-empty content except for the optional final assistant message"
        )
    if isinstance(message["content"], str) and message["content"]:
        content.check_text(message["content"])


def _check_system(system: Any) -> None:
    if system is None or isinstance(system, str):
        return
    for index, block in enumerate(refusal.listing(system, "system")):
        kind = refusal.tag(block, f"system.{index}", {"text"})
        content.check_text(refusal.string(block.get("text"), f"system.{index}.text"), "system")
        content.check_block(block, kind, f"system.{index}")


def _check_thinking(body: Mapping[str, Any]) -> bool:
    """Return whether the model is asked to think; raise Refusal for a shape or a budget the API does not know."""
    if body.get("thinking") is None:
        return False
    thinking = body["thinking"]
    kind = refusal.tag(thinking, "thinking", {"adaptive", "disabled", "enabled"})
    place = f"thinking.{kind}"
    if kind == "disabled":
        refusal.mapping(thinking, place, {"type"})
        return False
    if thinking.get("display", "summarized") not in ("summarized", "omitted", "updates"):
        raise refusal.invalid(f"{place}.display: Input should be 'summarized', 'omitted' or 'updates'")
    if kind == "adaptive":
        refusal.mapping(thinking, place, {"type", "display"})
        return True
    refusal.mapping(thinking, place, {"type", "display", "budget_tokens"}, ["budget_tokens"])
    if refusal.integer(thinking["budget_tokens"], f"{place}.budget_tokens", 1024) >= body["max_tokens"]:
        raise refusal.invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")
    return True


def _check_sampling(body: Mapping[str, Any], *, thinking: bool) -> None:
    for key in ("temperature", "top_p"):
        if body.get(key) is not None:
            refusal.fraction(body[key], key)
    if thinking and body.get("temperature", 1) != 1:
        raise refusal.invalid("`temperature` may only be set to 1 when thinking is enabled.")
    for index, stop in enumerate(refusal.listing(body.get("stop_sequences", []), "stop_sequences")):
        if not refusal.string(stop, f"stop_sequences.{index}").strip():
            raise refusal.invalid("stop_sequences: each stop sequence must contain non-whitespace")
    if "stream" in body:
        refusal.boolean(body["stream"], "stream")


def _check_breakpoints(body: Mapping[str, Any]) -> None:
    holders: list[Any] = [*body.get("tools", [])]
    for blocks in (body.get("system"), *(message["content"] for message in body["messages"])):
        holders += blocks if isinstance(blocks, list) else []
    inner = [holder["content"] for holder in holders if isinstance(holder.get("content"), list)]
    holders += [block for blocks in inner for block in blocks]
    found = sum(holder.get("cache_control") is not None for holder in holders)
    if found > MAX_BREAKPOINTS:
        raise refusal.invalid(
            f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {found}."
        )
