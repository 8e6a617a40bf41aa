"""Finished turns become a completion object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from app.blocks import joined
from app.dialects.openai import answers
from app.dialects.openai.answers import Identity, usage_object
from app.events import Event, Restart, TextDelta, TurnEnd, TurnStart, Usage, placed

KIND = "text_completion"


def finish_reason(stop_reason: str) -> str:
    """Return OpenAI's word for why the text ended; calls cannot be the reason, since no tools are offered."""
    word = answers.finish_reason(stop_reason)
    return "stop" if word == "tool_calls" else word


class Choice:
    """One text while it is read, still in the pieces it came in; it begins with `echo`."""

    def __init__(self, echo: str) -> None:
        self.model = ""
        self.end = TurnEnd("end_turn", Usage())
        self._echo = msgspec.json.encode(echo)
        self._texts: list[bytes] = []

    def feed(self, event: Event) -> None:
        """Take up an event."""
        match event:
            case TextDelta():
                self._texts.append(event.json)
            case Restart():
                del self._texts[event.keep :]
            case TurnStart():
                self.model = event.model
            case TurnEnd():
                self.end = event

    def as_object(self, index: int) -> dict[str, Any]:
        """Return the choice as the API has it."""
        return {
            "text": joined([self._echo, *self._texts]),
            "index": index,
            "logprobs": None,
            "finish_reason": finish_reason(self.end.stop_reason),
        }


def completion(batches: Iterable[list[Event]], identity: Identity, echoes: Sequence[str]) -> bytes:
    """Read the turns of all choices to their end and return the completion as JSON. Raises what a turn raises.

    `echoes` holds what each choice begins with, "" for nothing.
    """
    choices = [Choice(echo) for echo in echoes]
    for batch in batches:
        for place, event in placed(batch):
            choices[place].feed(event)
    return msgspec.json.encode(
        {
            "id": identity.id,
            "object": KIND,
            "created": identity.created,
            "model": choices[0].model,
            "choices": [choice.as_object(index) for index, choice in enumerate(choices)],
            "usage": usage_object(sum((choice.end.usage for choice in choices), Usage())),
        }
    )
