"""One request's turn, from the queue to the end of its process."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Literal

import msgspec

from app.backend import Correction, Preparation, Tap
from app.blocks import AnswerBlocks, as_message
from app.cancellation import Cancellation
from app.claude.cli.account import Bill
from app.claude.cli.channel import Deadlines
from app.claude.shelf.fate import ASKS_ON, Ended, Fate, fate
from app.claude.shelf.memory import digests_of, steps
from app.claude.shelf.processes import Processes
from app.claude.shelf.shelf import Taken, Waiting
from app.claude.turn.attempt import Attempt
from app.claude.turn.slots import Slots, check, until_granted
from app.config import Settings
from app.conversation import Conversation
from app.errors import (
    AnswerCut,
    BadRequest,
    CliFailed,
    NotLoggedIn,
    Overloaded,
    PlanLimit,
    ProxyError,
    SchemaUnsatisfied,
    ShuttingDown,
    ToolChoiceUnsatisfied,
    TurnTimeout,
)
from app.events import Event, TextDelta, ThinkingDelta, TurnEnd, TurnStart, Usage

log = logging.getLogger(__name__)

Served = Literal["kept", "parked", "rewound", "reused", "spare", "cold"]
# After these errors the process is sound and may answer the next request.
HARMLESS = (BadRequest, Overloaded, AnswerCut, SchemaUnsatisfied, ToolChoiceUnsatisfied)


class Turn:
    """Batches of events, once, and what became of the turn.

    It has its place in the queue at once. It begins with its `preparation`, if it has one, which gives the conversation
    to go on with.

    `queued_ms`, how long it waited for a slot, is known once it has one,
    `served` and `model` from the first event on, `first_token_ms` from the first piece of text or thinking,
    `usage` and `stop_reason` at the end, `error_code` and `error_words` after a failure.
    Call `close` when nobody iterates any longer; it ends a turn that is still going. Raises QueueFull.
    """

    def __init__(
        self,
        conversation: Conversation,
        *,
        client: str,
        preparation: Preparation | None,
        cancellation: Cancellation,
        settings: Settings,
        slots: Slots,
        processes: Processes,
        over: Callable[[Turn], None],
        tap: Tap | None = None,
    ) -> None:
        self.cancellation = cancellation
        self.served: Served | None = None
        self.model: str | None = None
        self.stop_reason: str | None = None
        self.error_code: str | None = None
        self.error_words: str | None = None
        self.first_token_ms: int | None = None
        self.queued_ms: int | None = None
        self._began = time.monotonic()
        self._conversation = conversation
        self._preparation = preparation
        self._settings = settings
        self._deadlines = Deadlines(settings.timeout, settings.idle_timeout)
        self._slots = slots
        self._ticket = slots.enter(client, prepared=preparation is None)
        self._processes = processes
        self._over = over
        self._tap = tap
        self._blocks = AnswerBlocks(thinking=conversation.options.signed)
        self._waiting: Waiting | None = None
        self._released = False
        self._beyond: bool | None = None  # known at the end
        self._attempt: Attempt | None = None
        self._bill = Bill()
        self._error: ProxyError | None = None
        self._stays = False
        self._batches = self._generate()

    def __iter__(self) -> Iterator[list[Event]]:
        """Return the one iterator over batches; it raises ProxyError when the turn fails."""
        return self._batches

    @property
    def usage(self) -> Usage:
        """Its tokens, at the end."""
        return self._bill.usage

    @property
    def dollars(self) -> float | None:
        """What they would have cost at list price, where that is known at the end."""
        return self._bill.dollars

    @property
    def asks(self) -> str:
        """The model that it asks now: the conversation's, or after that one's refusal the next of its `fallback`."""
        return self._conversation.model

    def stay(self) -> None:
        """Ask no other model from now on, since the client could no longer be told."""
        self._stays = True

    def hand_over(self, later: Callable[[Correction], object]) -> None:
        """Leave tokens and dollars as they are from now on; what is found out afterwards is told to `later`."""
        self._bill.close(later)

    @property
    def extra_usage(self) -> bool:
        """Whether extra usage pays for it: as far as it is known now, for certain at the end."""
        if self._beyond is not None:
            return self._beyond
        told = self._attempt.channel.limit if self._attempt is not None else None
        if told is not None and (told.resets_at is None or told.resets_at > time.time()):
            return told.beyond
        return self._processes.extra_usage.pays(self._conversation.model)

    def note(self, error: ProxyError) -> None:
        """Keep what went wrong for the log; the first error stays."""
        self.error_code = self.error_code or error.code or error.type
        self.error_words = self.error_words or error.words

    def close(self) -> None:
        """End the turn if it is still going, and give back slot and process; idempotent."""
        if inspect.getgeneratorstate(self._batches) == inspect.GEN_RUNNING:
            return  # another thread of `MergedTurns` runs it, and closes it when it returns
        self._batches.close()
        self._release()

    def _generate(self) -> Generator[list[Event]]:
        try:
            yield from self._wait()
            self.queued_ms = self._elapsed_ms()
            yield from self._with_fallback()
        except ProxyError as error:
            # The process of a cancelled turn was killed; clients are told the reason of that, not its effect.
            reason = self.cancellation.reason
            self._error = error if reason is None or isinstance(error, TurnTimeout) else None
            if reason is None:  # a turn that is stopped ends with an error, too
                for told in getattr(error, "__notes__", ()):
                    log.error("turn failed %s", told)  # noqa: TRY400 - where it was raised says nothing
            error = reason or error
            self.note(error)
            raise error from None
        finally:
            self._release()

    def _wait(self) -> Iterator[list[Event]]:
        """Yield an empty batch at least once a tick until the turn has a slot. Raises ProxyError if it gets none."""
        ticket = self._ticket
        for conversation in self._preparation or ():
            self._conversation = conversation or self._conversation
            check(ticket, self.cancellation, self._deadlines)
            yield []
        if not ticket.prepared:
            self._slots.prepare(ticket)
        for _ in until_granted(ticket, self.cancellation, self._deadlines):
            yield []

    def _with_fallback(self) -> Iterator[list[Event]]:
        """Yield the turn's batches. If a model is overloaded or closed before it answers, the next one is asked.

        If none answers, the client is told the error of the model that it asked for.
        """
        refusal: ProxyError | None = None
        while True:
            try:
                yield from self._attempts()
            except ProxyError as error:
                if self.cancellation.reason is not None:
                    raise
                self._learn(error)
                if self.model is not None:
                    raise
                following = self._following() if error.falls_back else None
                if following is None and refusal is None:
                    raise
                refusal = refusal or error
                to = following.model if following is not None else None
                log.warning("model refused model=%s error=%s falls_back_to=%s", self.asks, error.code, to)
                if self._attempt is not None:
                    self._error = error
                    self._part_with(self._attempt)
                if following is None:
                    raise refusal from None
                self._conversation, self._attempt, self._error, self.served = following, None, None, None
                continue
            return

    def _following(self) -> Conversation | None:
        """Return the conversation for the next model that may be asked now, if there is one."""
        conversation = self._conversation
        for place, model in enumerate(() if self._stays else conversation.fallback, 1):
            with contextlib.suppress(ProxyError):
                self._processes.admit(model)
                return msgspec.structs.replace(conversation, model=model, fallback=conversation.fallback[place:])
        return None

    def _learn(self, error: ProxyError) -> None:
        """Remember what a failure tells of the login and of the plan."""
        if isinstance(error, NotLoggedIn):
            self._processes.login.failed()
        limit = self._attempt.parser.limit if self._attempt is not None else None
        if isinstance(error, PlanLimit) and limit is not None:
            self._processes.plan.refused(limit, self._conversation.model, error.message)

    def _attempts(self) -> Iterator[list[Event]]:
        """Yield the turn's batches. If a process fails that was there before the request, another one tries."""
        conversation = self._conversation
        if conversation.workplace is not None:
            # The CLI's own tools may work in silence as long as the turn may last.
            self._deadlines.idle = self._settings.timeout
        told = steps(conversation.messages)
        digests = digests_of(conversation, told)
        while True:
            taken = self._processes.take(conversation, digests, told, self.served)
            self.served = _served(taken, digests)
            model = conversation.model
            # The channel outlives the turn, so this holds no turn: the CLI says who pays after it has given a call.
            taken.waiting.channel.heard = functools.partial(self._processes.hear, model)
            admit = functools.partial(self._processes.extra_usage.check, model)
            attempt = Attempt(taken, conversation, told, digests, self._deadlines, admit=admit, tap=self._tap)
            attempt.bill.go_on(self._bill)
            self._waiting, self._attempt, self._bill = taken.waiting, attempt, attempt.bill
            self.cancellation.on_cancel(functools.partial(self._stop, attempt))
            self._deadlines.touch()
            try:
                yield from self._observe(attempt)
            except ProxyError as error:
                answering = attempt.parser.model is not None
                if self.cancellation.reason is not None or answering or not _is_to_blame(taken, error):
                    raise
                process = taken.waiting.process
                log.warning("%s process failed pid=%d error=%s", self.served, process.pid, error.code)
                self._waiting = None
                self._processes.registry.dispose(process, at_once=True, cause="failed")
                continue
            return

    def _stop(self, attempt: Attempt) -> None:
        """End the turn from outside. The CLI is asked to end it if the process can be used again, else it is killed."""
        if self._fate(attempt, exact=False).what == "undo":
            with contextlib.suppress(ProxyError):
                attempt.channel.interrupt()
                return
        self._processes.registry.dispose(attempt.waiting.process, at_once=True, cause="cancelled")

    def _observe(self, attempt: Attempt) -> Iterator[list[Event]]:
        for batch in attempt.batches():
            self.cancellation.check()
            for event in batch:
                self._blocks.feed(event)
                if isinstance(event, TurnStart):
                    self._answered(event, attempt)
                elif isinstance(event, TurnEnd):
                    self._processes.catalogue.note(attempt.parser.models)
                    self.stop_reason = event.stop_reason
                    attempt.bill.count(event.usage)
                    limit = attempt.channel.limit
                    self._beyond = limit is not None and limit.beyond
                    if limit is not None and limit.beyond:
                        # The CLI says it only when it changes: another process may have made us forget it.
                        self._processes.extra_usage.note(limit, self._conversation.model)
                    # Before the client knows of the end: its next request may come at once.
                    self._part_with(attempt)
                elif self.first_token_ms is None and isinstance(event, TextDelta | ThinkingDelta):
                    self.first_token_ms = self._elapsed_ms()
            yield batch
        if attempt.channel.skipped:
            log.debug("skipped lines of unknown type n=%d", attempt.channel.skipped)

    def _answered(self, event: TurnStart, attempt: Attempt) -> None:
        self.model = event.model
        self._processes.login.verified()
        self._processes.plan.succeeded(self._conversation.model)
        self._processes.login.note(attempt.channel.login)
        self._processes.catalogue.update(attempt.channel.models)
        # Spares are started only now: a starting CLI takes half a second of a core, which the first token needed.
        self._processes.keeper.wake(proven=True)

    def _part_with(self, attempt: Attempt) -> None:
        """Give the process back to the shelf or end it; only the first call does something."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        waiting.channel.tap = None
        # From here on a cancellation has nothing to end.
        self.cancellation.on_cancel(None)
        reason = self.cancellation.reason
        if self.stop_reason is not None and reason is None:
            attempt.remember(as_message(self._blocks.blocks, signed=self._conversation.options.signed))
        else:
            waiting.memory.exact = False
        waiting.affinity, waiting.goes_on = self._conversation.affinity, self._conversation.goes_on
        exact = waiting.memory.exact and (waiting.binary.capabilities.parked or not waiting.memory.calls)
        what, why = self._fate(attempt, exact=exact)
        # An answer that was cut has ended by itself.
        ends = reason is not None or self.stop_reason in ASKS_ON
        self._processes.part_with(waiting, what, why, interrupted=ends)

    def _fate(self, attempt: Attempt, *, exact: bool) -> Fate:
        reason = self.cancellation.reason
        blameless = self._error is None or isinstance(self._error, HARMLESS)
        return fate(
            Ended(
                stop_reason=self.stop_reason,
                idle=attempt.channel.idle,
                exact=exact,
                asked=attempt.asked,
                sound=blameless and not isinstance(reason, ShuttingDown),
                failed=(self.error_code is not None or self._error is not None) and reason is None,
                goes_on=self._conversation.goes_on,
                going_back=self._processes.shelf.undoes(attempt.waiting),
                held=attempt.held,
            )
        )

    def _release(self) -> None:
        if self._released:
            return
        self._released = True
        self.cancellation.on_cancel(None)
        attempt = self._attempt
        try:
            if attempt is not None and self.stop_reason is None:
                attempt.bill.count(attempt.parser.usage)
            if attempt is not None and self._waiting is not None:
                if isinstance(self._error, CliFailed | TurnTimeout):
                    process = self._waiting.process
                    told = process.pid, process.exit_code, process.stderr_tail
                    log.warning("cli failed pid=%d exit=%s stderr=%r", *told)
                self._part_with(attempt)
        finally:
            # Whatever fails before: a slot that is not given back is lost until the server ends.
            self._slots.leave(self._ticket)
            self._over(self)

    def _elapsed_ms(self) -> int:
        return int((time.monotonic() - self._began) * 1000)


def _is_to_blame(taken: Taken, error: ProxyError) -> bool:
    """Tell whether a process that was started before the request may have failed it.

    It may be dead, or know something that the API refuses. Telling the whole conversation to another is always right.
    """
    if isinstance(error, CliFailed):
        return taken.waiting.in_advance
    return isinstance(error, BadRequest) and taken.place > 0


def _served(taken: Taken, digests: Sequence[bytes]) -> Served:
    """Return in what way a process is to answer."""
    memory = taken.waiting.memory
    if taken.waiting.spare:
        return "spare" if taken.waiting.ready else "cold"
    if taken.place == 0 and not memory.knows(digests):
        return "reused"
    if taken.place < len(memory.lines) or not memory.exact:
        return "rewound"
    return "parked" if memory.calls else "kept"
