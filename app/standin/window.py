"""How much a model takes and gives: context windows and output limits, in tokens, as the CLI knows them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from app.standin import refusal

SHORT, LONG = 200_000, 1_000_000
# The models the catalogue in 2.1.330 does not call `native_1m`; every later one is.
SHORT_MODELS = re.compile(r"claude-(3.*|(haiku|sonnet|opus)-4(-[1-6])?(-\d{8})?)")
# Models whose output limit is below 128,000 tokens.
OUTPUTS = {
    re.compile(r"claude-opus-4(-1)?(-\d{8})?"): 32_000,
    re.compile(r"claude-((haiku|opus|sonnet)-4-5|sonnet-4)(-\d{8})?"): 64_000,
}


def check(body: Mapping[str, Any], betas: Collection[str]) -> None:
    """Raise Refusal when the prompt, at four characters a token, or `max_tokens` is more than the model allows."""
    model = body["model"]
    longest = next((limit for pattern, limit in OUTPUTS.items() if pattern.fullmatch(model)), 128_000)
    if body["max_tokens"] > longest:
        raise refusal.invalid(
            f"max_tokens: {body['max_tokens']} > {longest}, which is the maximum allowed number of output tokens for "
            "this model"
        )
    maximum = context(model, betas)
    tokens = sum(_characters(body)) // 4
    if tokens > maximum:
        raise refusal.invalid(f"prompt is too long: {tokens} tokens > {maximum} maximum")


def context(model: str, betas: Collection[str] = ()) -> int:
    """Return the context window of `model` in tokens: long by its suffix, by a beta, or by its generation."""
    if model.endswith("[1m]") or any(beta.startswith("context-1m") for beta in betas):
        return LONG
    return SHORT if SHORT_MODELS.fullmatch(model) else LONG


def _characters(body: Mapping[str, Any]) -> Iterator[int]:
    yield len(json.dumps(body.get("tools", []), ensure_ascii=False))
    for holder in ({"content": body.get("system")}, *body["messages"]):
        yield _length(holder.get("content"))


def _length(content: Any) -> int:
    if isinstance(content, str):
        return len(content)
    return sum(map(_block_length, content)) if isinstance(content, list) else 0


def _block_length(block: Mapping[str, Any]) -> int:
    match block["type"]:
        case "image":
            return 4 * 1600  # what a large picture costs, however many bytes it has
        case "document":
            source = block["source"]
            return len(source["data"]) if source["type"] == "text" else 4 * 3000
        case "tool_result":
            return _length(block.get("content"))
        case "tool_use":
            return len(json.dumps(block["input"], ensure_ascii=False))
        case kind:
            return len(str(block.get("text") or block.get(kind) or ""))
