"""A finished turn becomes a chat completion object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from app.blocks import joined
from app.dialects.openai.objects import Identity, finish_reason, usage_object
from app.events import (
    Event,
    Restart,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStart,
    TurnEnd,
    TurnStart,
    Usage,
    placed,
)


class Choice:
    """One answer while it is read: text, thinking and calls, still in the pieces they came in."""

    def __init__(self) -> None:
        self.model = ""
        self.end = TurnEnd("end_turn", Usage())
        self._texts: list[bytes] = []
        self._thinking: list[bytes] = []
        self._calls: list[tuple[ToolCallStart, list[bytes]]] = []

    def feed(self, event: Event) -> None:
        """Take up an event."""
        match event:
            case TextDelta():
                self._texts.append(event.json)
            case ThinkingDelta():
                self._thinking.append(event.json)
            case ToolCallStart():
                self._calls.append((event, []))
            case ToolCallDelta():
                self._calls[event.index][1].append(event.json)
            case Restart():
                del self._texts[event.keep :]
                self._calls.clear()
            case TurnStart():
                self.model = event.model
            case TurnEnd():
                self.end = event

    def as_object(self, index: int, *, reasoning: bool) -> dict[str, Any]:
        """Return the choice as the API has it; `reasoning` shows the thinking."""
        content = joined(self._texts) if self._texts else None
        refusal = content if self.end.stop_reason == "refusal" else None
        message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": refusal, "annotations": []}
        if reasoning and self._thinking:
            message["reasoning_content"] = joined(self._thinking)
        if self._calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": joined(arguments)},
                }
                for call, arguments in self._calls
            ]
        reason = finish_reason(self.end.stop_reason)
        return {"index": index, "message": message, "logprobs": None, "finish_reason": reason}


def completion(batches: Iterable[list[Event]], identity: Identity, *, reasoning: bool, n: int = 1) -> bytes:
    """Read `n` turns to their end and return the completion as JSON. Raises what a turn raises."""
    choices = [Choice() for _ in range(n)]
    for batch in batches:
        for place, event in placed(batch):
            choices[place].feed(event)
    return msgspec.json.encode(
        {
            "id": identity.id,
            "object": "chat.completion",
            "created": identity.created,
            "model": choices[0].model,
            "choices": [choice.as_object(index, reasoning=reasoning) for index, choice in enumerate(choices)],
            "usage": usage_object(sum((choice.end.usage for choice in choices), Usage())),
        }
    )
