"""A finished turn becomes a chat completion object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from app.blocks import joined, read
from app.citations import Citation, Citations
from app.dialects.openai.answers import Identity, finish_reason, usage_object
from app.events import (
    Event,
    Restart,
    Source,
    Step,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallStart,
    TurnEnd,
    TurnStart,
    Usage,
    placed,
)

# Between thinking and what an agent does, where both are shown.
APART = rb'"\n\n"'


class Choice:
    """One answer while it is read: text, thinking and calls, still in the pieces they came in.

    `reasoning` shows the thinking.
    """

    def __init__(self, *, reasoning: bool) -> None:
        self._reasoning = reasoning
        self.model = ""
        self.end = TurnEnd("end_turn", Usage())
        self._texts: list[bytes] = []
        self._shown: list[bytes] = []  # thinking, and what an agent does
        self._thought = False  # since the last step
        self._citations = Citations()
        self._calls: list[tuple[ToolCallStart, list[bytes]]] = []

    def feed(self, event: Event) -> None:
        """Take up an event."""
        match event:
            case TextDelta():
                self._texts.append(event.json)
            case ThinkingDelta() if self._reasoning:
                self._thought = True
                self._shown.append(event.json)
            case Step():
                self._shown += [APART, event.json] if self._thought else [event.json]
                self._thought = False
            case Source():
                self._citations.found(event)
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

    def as_object(self, index: int) -> dict[str, Any]:
        """Return the choice as the API has it."""
        content = joined(self._texts) if self._texts else None
        text = read(self._texts) if self._citations else ""
        annotations = [*map(annotation, self._citations.of(text, last=True))]
        refusal = content if self.end.stop_reason == "refusal" else None
        message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": refusal}
        message["annotations"] = annotations
        if self._shown:
            message["reasoning_content"] = joined(self._shown)
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


def annotation(cited: Citation) -> dict[str, Any]:
    """Return the note of a page that the text rests on."""
    where = {"start_index": cited.start, "end_index": cited.end, "url": cited.url, "title": cited.title}
    return {"type": "url_citation", "url_citation": where}


def completion(batches: Iterable[list[Event]], identity: Identity, *, reasoning: bool, n: int = 1) -> bytes:
    """Read `n` turns to their end and return the completion as JSON. Raises what a turn raises."""
    choices = [Choice(reasoning=reasoning) for _ in range(n)]
    for batch in batches:
        for place, event in placed(batch):
            choices[place].feed(event)
    return msgspec.json.encode(
        {
            "id": identity.id,
            "object": "chat.completion",
            "created": identity.created,
            "model": choices[0].model,
            "choices": [choice.as_object(index) for index, choice in enumerate(choices)],
            "usage": usage_object(sum((choice.end.usage for choice in choices), Usage())),
        }
    )
