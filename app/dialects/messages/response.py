"""A finished turn becomes a message object."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from app.blocks import AnswerBlocks
from app.dialects.messages import objects
from app.events import Event, TurnEnd, TurnStart, Usage


def message(batches: Iterable[list[Event]], identity: str, *, thinking: bool) -> bytes:
    """Read a turn to its end and return the message as JSON; `thinking` shows the thinking.

    Raises what the turn raises.
    """
    answer = AnswerBlocks(thinking=thinking)
    model, end = "", TurnEnd("end_turn", Usage())
    for batch in batches:
        for event in batch:
            answer.feed(event)
            if isinstance(event, TurnStart):
                model = event.model
            elif isinstance(event, TurnEnd):
                end = event
    return msgspec.json.encode(
        {
            **objects.message(identity, model, end.usage),
            "content": [objects.whole(block) for block in answer.blocks],
            "stop_reason": end.stop_reason,
            "stop_sequence": end.stop_sequence,
        }
    )
