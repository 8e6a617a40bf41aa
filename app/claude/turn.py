"""One turn on one process: the conversation goes in as native turns, events come out in batches."""

from __future__ import annotations

from collections.abc import Iterator

from app.claude import opening
from app.claude.answer import Answer
from app.claude.channel import Channel
from app.claude.deadlines import Deadlines
from app.claude.kept import Kept
from app.claude.lines import assistant_line, user_line
from app.claude.process import Process
from app.claude.protocol import RateLimitInfo, Result
from app.claude.tool_names import ToolNames
from app.claude.tools import ToolServer
from app.conversation import Conversation, TextBlock, ToolResultBlock
from app.events import Event
from app.models import Limits


class TurnRun:
    """Drives one turn; iterate `batches` once.

    `kept` says what a process that is not new has in it: the opening, the conversation's first turns if any, and
    perhaps open calls.
    """

    def __init__(
        self,
        process: Process,
        conversation: Conversation,
        deadlines: Deadlines,
        *,
        composed: bool,
        kept: Kept | None = None,
    ) -> None:
        tools = kept.tools if kept else ToolServer(conversation.offered, whole=bool(conversation.own_tools))
        self.channel = Channel(process, tools, deadlines)
        if kept is not None:
            self.channel.models = kept.models
        self._conversation = conversation
        self._composed = composed
        self._fresh = kept is None
        self._told = 0 if kept is None else kept.turns
        self._parked = kept is not None and bool(kept.calls)
        self._names = ToolNames(conversation.tools)
        self._answer = Answer(conversation)

    @property
    def answering(self) -> bool:
        """Whether the model has begun to answer."""
        return self._answer.model is not None

    @property
    def open_calls(self) -> frozenset[str] | None:
        """What the process waits for after the turn, see `Answer`."""
        return self._answer.open_calls

    @property
    def limit(self) -> RateLimitInfo | None:
        """What the API said last about the plan's use, if anything."""
        return self._answer.limit

    @property
    def models(self) -> dict[str, Limits]:
        """What the CLI said of the models it used, by their full names; nothing where the turn ended before that."""
        return self._answer.models

    @property
    def _model(self) -> str:
        """The full name of the model that is asked, as far as the CLI has told it."""
        asked = self._conversation.model
        return next((model.resolved_model or asked for model in self.channel.models if model.value == asked), asked)

    def batches(self) -> Iterator[list[Event]]:
        """Yield events until the turn has ended; an empty batch for each silent tick.

        Raises ProxyError for everything that can go wrong.
        """
        yield from self._tell()
        yield from self._listen()
        if complaint := self._answer.complaint:
            told = TextBlock(f"<system>\n{complaint}\n</system>")
            self.channel.write(user_line((told,), ask=True, composed=self._composed))
            self._answer.repair()
            yield from self._listen()

    def _tell(self) -> Iterator[list[Event]]:
        """Write everything up to the question, waiting where the CLI must have taken a turn before the next."""
        turns = self._conversation.turns
        question = turns[-1].content
        if self._parked:
            results = (block for block in question if isinstance(block, ToolResultBlock))
            self.channel.write(self.channel.tools.give(results))
            return
        pending = opening.lines(self._conversation) if self._fresh else b""
        for number, turn in enumerate(turns[:-1]):
            if number < self._told:
                continue
            if turn.role == "assistant":
                # Taken at once and in order, so it can wait for the next write.
                pending += assistant_line(self._names.native(turn.content), f"msg_{number}", self._model)
                continue
            self.channel.write(pending + user_line(turn.content, ask=False, composed=self._composed))
            pending = b""
            yield from self._until_acknowledged()
        self.channel.write(pending + user_line(question, ask=True, composed=self._composed))

    def _listen(self) -> Iterator[list[Event]]:
        answer = self._answer
        while not answer.ended:
            batch: list[Event] = []
            try:
                for line in self.channel.read():
                    batch += answer.feed(line)
            except Exception:
                if batch:
                    yield batch
                raise
            yield batch

    def _until_acknowledged(self) -> Iterator[list[Event]]:
        """Wait for the result of a history line; the next line must not be written before."""
        while True:
            lines = self.channel.read()
            for line in lines:
                if isinstance(line, Result):
                    if line.is_error:
                        Answer(self._conversation).feed(line)
                    return
            if not lines:
                yield []
