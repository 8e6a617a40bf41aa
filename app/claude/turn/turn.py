"""One turn on one process: what the process does not know of the conversation goes in, events come out in batches."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence

from app.claude.cli import opening
from app.claude.cli.channel import MOMENT, Channel
from app.claude.cli.deadlines import Deadlines
from app.claude.cli.lines import assistant_line, is_quick, quick_user_line, user_line
from app.claude.cli.protocol import RateLimitInfo, Result
from app.claude.cli.tool_names import ToolNames
from app.claude.cli.tools import ToolServer
from app.claude.shelf.lineage import extended
from app.claude.shelf.memory import Line
from app.claude.shelf.shelf import Taken
from app.claude.turn.answer import Answer
from app.conversation import Conversation, TextBlock, ToolResultBlock, Turn
from app.event_loop import pause
from app.events import Event
from app.models import Limits


class TurnRun:
    """Drives one turn; iterate `batches` once.

    `taken` is the process and how many of the conversation's `steps` it knows when it has gone back; the turn takes
    note of what it tells it. `lineage` are the digests of the conversation's beginnings. `waited` says that the process
    was ready before the request.
    """

    def __init__(
        self,
        taken: Taken,
        conversation: Conversation,
        steps: Sequence[Turn],
        lineage: Sequence[bytes],
        deadlines: Deadlines,
        *,
        waited: bool = False,
    ) -> None:
        self.waiting = waiting = taken.waiting
        if waiting.tools is None:
            waiting.tools = ToolServer(conversation.offered, whole=bool(conversation.own_tools))
        self.channel = Channel(waiting.process, waiting.tools, deadlines)
        self.channel.models = waiting.models
        self.channel.idle = not waiting.memory.calls
        self.asked = False
        self._waited = waited
        self._place = taken.place
        self._conversation = conversation
        self._steps = steps
        self._lineage = lineage
        self._names = ToolNames(conversation.tools)
        self._can = waiting.binary.capabilities
        self._answer = Answer(conversation)

    @property
    def answering(self) -> bool:
        """Whether the model has begun to answer."""
        return self._answer.model is not None

    @property
    def exact(self) -> bool:
        """Whether the process remembers the answer as the client was given it."""
        return self._answer.open_calls is not None

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
        memory = self.waiting.memory
        if self._waited:
            self.channel.drain()
        if self._place < len(memory.lines) or not memory.exact:
            yield from self._go_back()
        yield from self._tell()
        yield from self._listen()
        if complaint := self._answer.complaint:
            told = TextBlock(f"<system>\n{complaint}\n</system>")
            memory.newest = str(uuid.uuid4())
            name = self._named(memory.newest)
            self.channel.ask(user_line((told,), ask=True, composed=self._can.composed, uuid=name))
            self._answer.repair()
            yield from self._listen()

    def remember(self, said: Turn | None) -> None:
        """Take note of the answer as the client has it, where the process has it so, too; else that it has not."""
        memory, calls = self.waiting.memory, self._answer.open_calls
        if calls is None or said is None:
            memory.exact = False
            return
        memory.add(Line(extended(memory.lines[-1].digest, said)))
        memory.calls = calls

    def _go_back(self) -> Iterator[list[Event]]:
        memory = self.waiting.memory
        target, newest = memory.lines[self._place].uuid, memory.newest
        if target is None or newest is None:
            raise AssertionError("one goes back to a landmark only")
        if not self.channel.idle:
            self.channel.interrupt()
            yield from ([] for _ in self.channel.until_idle(MOMENT))
        self.channel.tools.forget()
        yield from ([] for _ in self.channel.go_back(target, newest))
        memory.forget(self._place)

    def _tell(self) -> Iterator[list[Event]]:
        """Write everything up to the question, waiting where the CLI must have taken a turn before the next."""
        memory, steps = self.waiting.memory, self._steps
        if memory.calls:
            results = (block for block in steps[-1].content if isinstance(block, ToolResultBlock))
            self.asked = True
            memory.calls = frozenset()
            memory.add(Line(self._lineage[-1]))
            self.channel.ask(self.channel.tools.give(results))
            return
        pending: list[bytes] = []
        if memory.opening is None:
            pending.append(opening.lines(self._conversation, manifests=self._can.manifests))
            memory.open(self._lineage[0])
            self.waiting.owner = self._conversation.owner
        if self._place == 0:
            self.waiting.conversations += 1
        for number in range(self._place, len(steps) - 1):
            pause()
            step, digest = steps[number], self._lineage[number + 1]
            if step.role == "assistant":
                # Taken at once and in order, so it can wait for the next write.
                content = self._names.native(step.content)
                pending.append(assistant_line(content, f"msg_{uuid.uuid4().hex}", self._model))
                memory.add(Line(digest))
            elif (text := self._quick(number)) is not None:
                pending.append(quick_user_line(text))
                memory.add(Line(digest))
            else:
                pending.append(self._user_line(number, ask=False))
                self.channel.write(b"".join(pending))
                pending.clear()
                yield from self._until_acknowledged()
        self.asked = True
        pending.append(self._user_line(len(steps) - 1, ask=True))
        self.channel.ask(b"".join(pending))

    def _quick(self, number: int) -> str | None:
        """Return the text of a user's step that can be told without waiting for it.

        Never the first: it is what one goes back to before, with whatever conversation comes next.
        """
        step = self._steps[number]
        if not self._can.quick_history or number == 0 or len(step.content) > 1:
            return None
        (block,) = step.content
        alone = self._steps[number - 1].role == self._steps[number + 1].role == "assistant"
        return block.text if alone and isinstance(block, TextBlock) and is_quick(block.text) else None

    def _user_line(self, number: int, *, ask: bool) -> bytes:
        content = self._steps[number].content
        name = self._named(str(uuid.uuid4()))
        landmark = name is not None and not any(isinstance(block, ToolResultBlock) for block in content)
        self.waiting.memory.add(Line(self._lineage[number + 1], name, landmark))
        return user_line(content, ask=ask, composed=self._can.composed, uuid=name)

    def _named(self, name: str) -> str | None:
        # Random ones: the CLI compares their beginnings only.
        return name if self._can.going_back else None

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
