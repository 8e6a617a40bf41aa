"""A turn's events become a response object, piece by piece or whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.blocks import AnswerBlocks, Change, read
from app.citations import Citation, Citations
from app.dialects.responses import objects
from app.dialects.responses.tools import NONE, Names
from app.errors import AnswerCut
from app.events import Event, Fallback, Restart, Source, TurnEnd, TurnStart


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
        self._citations = Citations()
        self._cited: dict[int, list[Citation]] = {}  # by a text's index

    def feed(self, event: Event) -> list[Change]:
        """Take up an event; return what changed. Raises AnswerCut when something sent turns out not to count."""
        match event:
            case TurnStart() | Fallback():
                self.response = {**self.response, "model": event.model}
                return []
            case TurnEnd():
                if event.stop_reason in objects.INCOMPLETE:
                    self._status = "incomplete"
                changes = self._read(self._answer.close(), last=True)
                self.response = objects.ended(self.response, self._items(), event)
                self.is_over = True
                return changes
            case Restart() if self._sent:
                if self._answer.loses(event.keep):
                    raise AnswerCut(CUT)
                return self._read(self._answer.close())
            case Source():
                self._citations.found(event)
        return self._read(self._answer.feed(event))

    def cited(self, index: int) -> list[Citation]:
        """Return the pages that the text with this index rests on, once it has ended."""
        return self._cited.get(index, [])

    def item(self, change: Change) -> dict[str, Any]:
        """Return the item that a change is about, as it is now."""
        name = objects.name_of(change.block, self.response["id"], change.index)
        if change.what == "opened":
            return objects.opening(change.block, name, self._names)
        return objects.whole(change.block, name, self._names, self._status, self.cited(change.index))

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
            status = self._status if last else "completed"
            items.append(objects.whole(block, name, self._names, status, self.cited(index)))
        return items

    def _read(self, changes: list[Change], *, last: bool = False) -> list[Change]:
        """Return the changes; texts that have ended are read for what they cite."""
        for change in changes if self._citations else ():
            if change.what == "closed" and change.block.kind == "text":
                self._cited[change.index] = self._citations.of(read(change.block.pieces), last=last)
        return changes
