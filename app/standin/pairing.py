"""Tool calls and their results: each call is answered at the start of the next message, each result was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.standin import refusal


def check(messages: Sequence[Mapping[str, Any]]) -> None:
    """Raise Refusal unless calls and results correspond one to one, and no call's id is used twice."""
    seen: set[str] = set()
    for index, message in enumerate(messages):
        for number, block in _blocks(message, "tool_use"):
            if block["id"] in seen:
                raise refusal.invalid(f"messages.{index}.content.{number}: `tool_use` ids must be unique")
            seen.add(block["id"])
        _check_results(messages, index)
        _check_answered(messages, index)


def _check_answered(messages: Sequence[Mapping[str, Any]], index: int) -> None:
    calls = [block["id"] for _, block in _blocks(messages[index], "tool_use")]
    following = messages[index + 1] if index + 1 < len(messages) else {}
    answered = {block["tool_use_id"] for block in _leading_results(following)}
    missing = [call for call in calls if call not in answered]
    if missing:
        raise refusal.invalid(
            f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
            "message."
        )


def _check_results(messages: Sequence[Mapping[str, Any]], index: int) -> None:
    asked = {block["id"] for _, block in _blocks(messages[index - 1], "tool_use")} if index else set()
    answered: set[str] = set()
    for number, block in _blocks(messages[index], "tool_result"):
        call = block["tool_use_id"]
        if call not in asked:
            raise refusal.invalid(
                f"messages.{index}.content.{number}: unexpected `tool_use_id` found in `tool_result` blocks: {call}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if call in answered:
            raise refusal.invalid(
                f"messages.{index}.content.{number}: each tool_use must have a single result. Found multiple "
                f"`tool_result` blocks with id: {call}"
            )
        answered.add(call)


def _blocks(message: Mapping[str, Any], kind: str) -> list[tuple[int, Mapping[str, Any]]]:
    content = message.get("content")
    if not isinstance(content, list):
        return []
    return [(number, block) for number, block in enumerate(content) if block["type"] == kind]


def _leading_results(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    content = message.get("content")
    for block in content if isinstance(content, list) and message.get("role") == "user" else []:
        if block["type"] != "tool_result":
            return
        yield block
