"""One turn on one process: the conversation goes in as native turns, events come out in batches."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from app.claude import opening
from app.claude.answer import Answer
from app.claude.deadlines import Deadlines
from app.claude.lines import assistant_line, user_line
from app.claude.process import Process
from app.claude.protocol import ControlRequest, ControlResponse, Line, Result, decode
from app.claude.tools import ToolServer
from app.conversation import Conversation
from app.errors import CliFailed
from app.events import Event
from app.models import CliModel

log = logging.getLogger(__name__)

# How long one read waits, in seconds: the beat at which heartbeats, deadlines and cancellations are looked at.
TICK = 1.0


class TurnRun:
    """Drives one turn; iterate `batches` once."""

    def __init__(self, process: Process, conversation: Conversation, deadlines: Deadlines, *, composed: bool) -> None:
        self._process = process
        self._conversation = conversation
        self._deadlines = deadlines
        self._composed = composed
        self._tools = ToolServer(conversation.offered)
        self.opened = False  # the process answered: it is alive, and anything may have happened since
        self.models: tuple[CliModel, ...] = ()  # what `initialize` said this login may use
        self.skipped = 0  # lines of unknown type

    def batches(self) -> Iterator[list[Event]]:
        """Yield events until the turn has ended; an empty batch for each silent tick.

        Raises ProxyError for everything that can go wrong.
        """
        yield from self._tell()
        answer = Answer(self._conversation)
        yield from self._listen(answer)
        if answer.lacks_call:
            self._write(user_line(opening.REPAIR, ask=True, composed=self._composed))
            answer.repair()
            yield from self._listen(answer)

    def _tell(self) -> Iterator[list[Event]]:
        """Write everything up to the question, waiting where the CLI must have taken a turn before the next."""
        turns = self._conversation.turns
        pending = opening.lines(self._conversation)
        for number, turn in enumerate(turns[:-1]):
            if turn.role == "assistant":
                # Taken at once and in order, so it can wait for the next write.
                pending += assistant_line(turn.content, f"msg_{number}")
                continue
            self._write(pending + user_line(turn.content, ask=False, composed=self._composed))
            pending = b""
            yield from self._until_acknowledged()
        self._write(pending + user_line(turns[-1].content, ask=True, composed=self._composed))

    def _listen(self, answer: Answer) -> Iterator[list[Event]]:
        while not answer.ended:
            batch: list[Event] = []
            try:
                for line in self._read():
                    batch += answer.feed(line)
            except Exception:
                if batch:
                    yield batch
                raise
            yield batch

    def _until_acknowledged(self) -> Iterator[list[Event]]:
        """Wait for the result of a history line; the next line must not be written before."""
        while True:
            lines = self._read()
            for line in lines:
                if isinstance(line, Result):
                    if line.is_error:
                        Answer(self._conversation).feed(line)
                    return
            if not lines:
                yield []

    def _write(self, data: bytes) -> None:
        self._process.write(data, self._deadlines.left())

    def _read(self) -> list[Line]:
        lines: list[Line] = []
        for raw in self._process.read(TICK):
            line = decode(raw)
            if line is None:
                self.skipped += 1
            elif isinstance(line, ControlResponse):
                self._on_control(line)
            elif isinstance(line, ControlRequest):
                reply = self._tools.reply(line)
                if reply is not None:
                    self._write(reply)
            else:
                lines.append(line)
            self._deadlines.touch()
        self._deadlines.check()
        return lines

    def _on_control(self, line: ControlResponse) -> None:
        self.opened = True
        if line.response.response is not None:
            self.models = tuple(line.response.response.models or self.models)
        if line.response.subtype == "error" and line.response.request_id in {"initialize", "settings"}:
            log.error("control request=%s error=%s", line.response.request_id, line.response.error)
            raise CliFailed(
                "The claude CLI refused its settings; run `claude update`, or see the log.", code="cli_error"
            )
