"""A running turn becomes lines of JSON: https://docs.ollama.com/api/streaming ."""

from __future__ import annotations

from typing import Any

import msgspec

from app.blocks import AnswerBlocks, Change
from app.dialects.ollama.answers import APART, Clock, Form, call, ending, opening, parted
from app.dialects.ollama.errors import envelope
from app.errors import AnswerCut, ProxyError
from app.events import Event, Restart, TurnEnd, TurnStart

NAMES = {"text": "content", "thinking": "thinking", "step": "thinking"}


class JsonLines:
    """Writes the lines of one answer in an endpoint's `form`; `thinking` shows the thinking.

    A call comes in one line, when all of its arguments are there.
    """

    def __init__(self, model: str, form: Form, *, thinking: bool) -> None:
        self._model = model
        self._form = form
        self._clock = Clock()
        self._answer = AnswerBlocks(thinking=thinking)
        self._calls = 0

    def feed(self, batch: list[Event]) -> bytes:
        """Return what a batch adds, b"" for nothing. Raises AnswerCut when something sent turns out not to count."""
        return b"".join(self._write(event) for event in batch)

    def heartbeat(self) -> bytes:
        """Return a line that says nothing: its clients read every line, and know no comments."""
        return self._line({})

    def error(self, error: ProxyError) -> bytes:
        """Return the error that ends the stream."""
        return msgspec.json.encode(envelope(error)) + b"\n"

    def _write(self, event: Event) -> bytes:
        match event:
            case TurnStart():
                self._clock.answers()
                return b""
            case TurnEnd():
                return self._changed(self._answer.close()) + self._line({}, **ending(event, self._clock))
            case Restart() if self._answer.loses(event.keep):
                raise AnswerCut("The Claude API's answer broke off; ask again.")
        return self._changed(self._answer.feed(event))

    def _changed(self, changes: list[Change]) -> bytes:
        return b"".join(map(self._change, changes))

    def _change(self, change: Change) -> bytes:
        block = change.block
        if change.what == "opened" and block.kind == "step" and parted(self._answer.blocks[: change.index]):
            return self._line({NAMES["step"]: APART})
        if change.what == "grown" and block.kind in NAMES:
            return self._line({NAMES[block.kind]: msgspec.Raw(change.piece)})
        if change.what == "closed" and block.kind == "tool_use":
            self._calls += 1
            return self._line({"tool_calls": [call(block, self._calls - 1)]})
        return b""

    def _line(self, said: dict[str, Any], **more: Any) -> bytes:
        return msgspec.json.encode({**opening(self._model), **self._form(said), "done": False, **more}) + b"\n"
