"""One process's part in a turn: what it does not know of the conversation goes in, events come out in batches."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Iterator, Sequence

from app.backend import Tap
from app.claude.cli.account import Bill
from app.claude.cli.channel import FIRST_SIGN_SECONDS, Deadlines
from app.claude.cli.incoming import Result
from app.claude.cli.outgoing import assistant_line, is_quick, quick_user_line, user_line
from app.claude.cli.setup import setup_lines
from app.claude.cli.tool_names import ToolNames
from app.claude.cli.tools import ToolServer
from app.claude.shelf.memory import Line, extended, subject
from app.claude.shelf.shelf import Taken
from app.claude.turn.parser import AnswerParser
from app.conversation import Conversation, Message, TextBlock, ToolResultBlock
from app.event_loop import pause
from app.events import Event


class Attempt:
    """Drives one turn; iterate `batches` once. The `parser` has the result.

    `taken` is the process and how many of the conversation's `steps` it knows when it has gone back; the attempt takes
    note of what it tells it. `digests` are those of the conversation's beginnings. `asked` says that the question was
    told, `held` that the CLI was kept from asking more before it told how the answer ended. `admit` is called before
    that, when what the process had still to say has been heard, and may raise. `tap` is told the lines to and from the
    process.
    """

    def __init__(
        self,
        taken: Taken,
        conversation: Conversation,
        steps: Sequence[Message],
        digests: Sequence[bytes],
        deadlines: Deadlines,
        *,
        admit: Callable[[], object] = lambda: None,
        tap: Tap | None = None,
    ) -> None:
        self.waiting = waiting = taken.waiting
        self.channel = waiting.channel
        self.channel.deadlines, self.channel.skipped, self.channel.tap = deadlines, 0, tap
        self.parser = AnswerParser(conversation)
        self.bill = Bill()
        self.asked = self.held = False
        self._admit = admit
        self._place = taken.place
        self._conversation = conversation
        self._steps = steps
        self._digests = digests
        self._can = waiting.binary.capabilities

    @functools.cached_property
    def _names(self) -> ToolNames:
        return ToolNames(self._conversation.tools)

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
        yield from self._prepare()
        yield from self._connect()
        self._admit()
        yield from self._tell()
        yield from self._listen()
        if complaint := self.parser.complaint:
            told = TextBlock(f"<system>\n{complaint}\n</system>")
            memory.newest = str(uuid.uuid4())
            name = memory.newest if self._can.going_back else None
            self.channel.write(user_line((told,), ask=True, composed=self._can.composed, uuid=name), asks=True)
            self.parser.repair()
            yield from self._listen()

    def told(self) -> Iterator[list[Event]]:
        """Yield until the process has been told the whole conversation, the question as if it had been asked before.

        Nothing is asked. Raises ProxyError for everything that can go wrong.
        """
        yield from self._prepare()
        yield from self._tell(ask=False)

    def remember(self, said: Message | None) -> None:
        """Note the answer as the client has it. If the process has another one, its memory is no longer exact."""
        memory, calls = self.waiting.memory, self.parser.open_calls
        if calls is None or said is None:
            memory.exact = False
            return
        memory.add(Line(extended(memory.lines[-1].digest, said)))
        memory.calls = calls

    def _prepare(self) -> Iterator[list[Event]]:
        memory = self.waiting.memory
        if self.waiting.ready or not self.waiting.spare:  # it was there before the request
            self.channel.drain()
            self.channel.expect_sign()
        if self._place < len(memory.lines) or not memory.exact:
            yield from self._go_back()

    def _connect(self) -> Iterator[list[Event]]:
        """Wait for the agent's MCP servers; one that has ended is begun anew by the CLI, or by another process."""
        waiting = self.waiting
        if waiting.servers is not None and not waiting.memory.calls:
            yield from ([] for _ in waiting.servers.connected(self.channel))

    def _go_back(self) -> Iterator[list[Event]]:
        memory = self.waiting.memory
        target, newest = memory.lines[self._place].uuid, memory.newest
        if target is None or newest is None:
            raise AssertionError("one goes back to a landmark only")
        if not self.channel.idle:
            self.channel.interrupt()
            yield from ([] for _ in self.channel.until_idle(FIRST_SIGN_SECONDS))
        self.channel.tools.forget()
        yield from ([] for _ in self.channel.go_back(target, newest))
        memory.forget(self._place)

    def _tell(self, *, ask: bool = True) -> Iterator[list[Event]]:
        """Write everything up to the question, waiting where the CLI must have taken a message before the next."""
        # Not before: a turn that has just been undone is another's.
        self.channel.account.open(self.bill)
        memory, steps = self.waiting.memory, self._steps
        if memory.calls:
            results = (block for block in steps[-1].content if isinstance(block, ToolResultBlock))
            self.asked = True
            memory.calls = frozenset()
            memory.add(Line(self._digests[-1]))
            self.channel.write(self.channel.tools.give(results), asks=True)
            return
        pending: list[bytes] = []
        if memory.setup is None:
            if offered := self._conversation.offered:
                self.channel.tools = ToolServer(offered, whole=self._conversation.workplace is not None)
            pending.append(setup_lines(self._conversation, manifests=self._can.manifests))
            memory.setup = self._digests[0]
            self.waiting.owner, self.waiting.subject = self._conversation.owner, subject(self._conversation)
        if self._place == 0:
            self.waiting.conversations += 1
        for number in range(self._place, len(steps) - 1):
            pause()
            step, digest = steps[number], self._digests[number + 1]
            if step.role == "assistant":
                # The CLI takes these at once and in order, so they can go out with the next write.
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
        self.asked = ask
        pending.append(self._user_line(len(steps) - 1, ask=ask))
        pause()  # a long line is copied where it is joined with others
        self.channel.write(b"".join(pending), asks=ask)
        if not ask:
            yield from self._until_acknowledged()

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
        # The ids are random because the CLI compares only their beginnings.
        name = str(uuid.uuid4()) if self._can.going_back else None
        landmark = name is not None and not any(isinstance(block, ToolResultBlock) for block in content)
        self.waiting.memory.add(Line(self._digests[number + 1], name, landmark))
        return user_line(content, ask=ask, composed=self._can.composed, uuid=name)

    def _listen(self) -> Iterator[list[Event]]:
        parser = self.parser
        while not parser.ended:
            batch: list[Event] = []
            # An acknowledgement that comes with the end may come after the CLI has gone on.
            self.held = self.channel.held
            try:
                for line in self.channel.read():
                    batch += parser.feed(line)
                self._hold()
            except Exception:
                if batch:
                    yield batch
                raise
            yield batch

    def _hold(self) -> None:
        """Keep the CLI from going on by itself with an answer that may be cut."""
        if not self._can.held or self.parser.ended:
            return
        if self.parser.near_bound:
            self.channel.hold()
            self.parser.held = True
        else:
            self.channel.let_go()

    def _until_acknowledged(self) -> Iterator[list[Event]]:
        """Wait for the result of a history line; the next line must not be written before."""
        while True:
            lines = self.channel.read()
            for line in lines:
                if isinstance(line, Result):
                    if line.is_error:
                        AnswerParser(self._conversation).feed(line)
                    return
            if not lines:
                yield []
