"""A turn's events become a response object, piece by piece or whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.blocks import AnswerBlocks, Change
from app.dialects.responses import objects
from app.dialects.responses.tools import NONE, Names
from app.errors import AnswerCut
from app.events import Event, Restart, TurnEnd, TurnStart


def finished(
    batches: Iterable[list[Event]], response: dict[str, Any], names: Names = NONE, *, thinking: bool
) -> dict[str, Any]:
    """Read a turn to its end and return what has become of a `response` that had only begun.

    `names` are those of functions in namespaces. Raises what the turn raises.
    """
    output = Output(response, names, thinking=thinking, sent=False)
    for batch in batches:
        for event in batch:
            output.feed(event)
    return output.response


CUT = "The Claude API's answer broke off; ask again."


class Output:
    """Collects the events of one response; `sent` says that the client gets each piece as it comes.

    `names` are those of functions in namespaces. `response` is the object as it is now, and `is_over` tells that no
    more will come of it.
    """

    def __init__(self, response: dict[str, Any], names: Names = NONE, *, thinking: bool, sent: bool) -> None:
        self.response = response
        self.is_over = False
        self._names = names
        self._sent = sent
        self._answer = AnswerBlocks(thinking=thinking)
        self._status = "completed"  # of the last item

    def feed(self, event: Event) -> list[Change]:
        """Take up an event; return what changed. Raises AnswerCut when something sent turns out not to count."""
        match event:
            case TurnStart():
                self.response = {**self.response, "model": event.model}
                return []
            case TurnEnd():
                if event.stop_reason in objects.INCOMPLETE:
                    self._status = "incomplete"
                changes = self._answer.close()
                self.response = objects.ended(self.response, self._items(), event)
                self.is_over = True
                return changes
            case Restart() if self._sent:
                if self._answer.loses(event.keep):
                    raise AnswerCut(CUT)
                return self._answer.close()
        return self._answer.feed(event)

    def item(self, change: Change) -> dict[str, Any]:
        """Return the item that a change is about, as it is now."""
        name = objects.name_of(change.block, self.response["id"], change.index)
        if change.what == "opened":
            return objects.opening(change.block, name, self._names)
        return objects.whole(change.block, name, self._names, self._status)

    def fail(self, code: str, message: str) -> None:
        """Make the response one that failed."""
        error = {"code": code, "message": message}
        self.response = {**self.response, "status": "failed", "error": error, "output": self._items()}
        self.is_over = True

    def _items(self) -> list[dict[str, Any]]:
        items = []
        for index, block in enumerate(self._answer.blocks):
            last = index == len(self._answer.blocks) - 1
            name = objects.name_of(block, self.response["id"], index)
            items.append(objects.whole(block, name, self._names, self._status if last else "completed"))
        return items
