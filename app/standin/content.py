"""Content blocks: which keys each kind has, which role may send it, and what it may hold."""

from __future__ import annotations

from typing import Any

from app.standin import refusal, source

ID = "^[a-zA-Z0-9_-]+$"
NAME = "^[a-zA-Z0-9_-]{1,128}$"

# Keys beside `type`; the first group is required.
KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "text": (("text",), ("cache_control", "citations")),
    "image": (("source",), ("cache_control",)),
    "document": (("source",), ("cache_control", "citations", "context", "title")),
    "tool_use": (("id", "name", "input"), ("cache_control", "caller")),
    "tool_result": (("tool_use_id",), ("cache_control", "content", "is_error")),
    "thinking": (("thinking", "signature"), ()),
    "redacted_thinking": (("data",), ()),
    # Inside a tool_result: how the CLI's ToolSearch names the tools it found.
    "tool_reference": (("tool_name",), ("cache_control",)),
}
ALLOWED = {
    "user": {"text", "image", "document", "tool_result"},
    "assistant": {"text", "tool_use", "thinking", "redacted_thinking"},
    "system": {"text"},
    "tool_result": {"text", "image", "document", "tool_reference"},
}
THINKING = {"thinking", "redacted_thinking"}


def check(content: Any, role: str, where: str) -> None:
    """Raise Refusal unless `content` is text, or a list of blocks that `role` (or a "tool_result") may hold."""
    if isinstance(content, str):
        return
    known = {kind for kinds in ALLOWED.values() for kind in kinds}
    others = False
    for index, block in enumerate(refusal.listing(content, where)):
        kind = refusal.tag(block, f"{where}.{index}", known)
        place = f"{where}.{index}.{kind}"
        if kind not in ALLOWED[role]:
            raise refusal.invalid(f"{where}.{index}: `{kind}` blocks are not permitted in `{role}` content")
        check_block(block, kind, place)
        if kind in THINKING and others:
            raise refusal.invalid(f"{where}.{index}: `{kind}` blocks must come before the other blocks of a message")
        others = others or kind not in THINKING
    if role == "assistant" and content and not others:
        raise refusal.invalid(f"{where}: The final block in an assistant message cannot be `thinking`.")


def check_block(block: dict[str, Any], kind: str, where: str) -> None:
    """Raise Refusal unless `block`, at the place `where`, is a good block of its `kind`."""
    required, optional = KEYS[kind]
    refusal.mapping(block, where, {"type", *required, *optional}, required)
    if block.get("cache_control") is not None:
        check_cache_control(block["cache_control"], f"{where}.cache_control")
    match kind:
        case "text":
            check_text(refusal.string(block["text"], f"{where}.text"))
        case "image":
            source.check_image(block["source"], f"{where}.source")
        case "document":
            source.check_document(block["source"], f"{where}.source")
        case "tool_use":
            refusal.string(block["id"], f"{where}.id", ID)
            refusal.string(block["name"], f"{where}.name", NAME)
            refusal.mapping(block["input"], f"{where}.input")
        case "tool_result":
            refusal.string(block["tool_use_id"], f"{where}.tool_use_id", ID)
            refusal.boolean(block.get("is_error", False), f"{where}.is_error")
            check(block.get("content", ""), "tool_result", f"{where}.content")
        case "thinking":
            refusal.string(block["thinking"], f"{where}.thinking")
            if not refusal.string(block["signature"], f"{where}.signature"):
                raise refusal.invalid(f"{where}.signature: Invalid `signature` in `thinking` block")
        case _:
            refusal.string(block[required[0]], f"{where}.{required[0]}")


def check_text(text: str, where: str = "messages") -> None:
    """Raise Refusal for a text block that is empty or has nothing but white space."""
    if not text:
        raise refusal.invalid(f"{where}: text content blocks must be non-empty")
    if not text.strip():
        raise refusal.invalid(f"{where}: text content blocks must contain non-whitespace text")


def check_cache_control(value: Any, where: str) -> None:
    """Raise Refusal unless `value` is a cache breakpoint of five minutes or an hour."""
    refusal.tag(value, where, {"ephemeral"})
    # `scope` is Claude Code's own (beta prompt-caching-scope).
    refusal.mapping(value, f"{where}.ephemeral", {"type", "ttl", "scope"})
    if value.get("ttl", "5m") not in ("5m", "1h"):
        raise refusal.invalid(f"{where}.ephemeral.ttl: Input should be '5m' or '1h'")
