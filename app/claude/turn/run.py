"""One request's turn, from the queue to the end of its process."""

from __future__ import annotations

import contextlib
import inspect
import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Literal

from app.cancellation import Cancellation
from app.claude.cli.deadlines import Deadlines
from app.claude.shelf.fate import Ended, fate
from app.claude.shelf.lineage import lineage, steps
from app.claude.shelf.shelf import Taken, Waiting
from app.claude.shelf.supply import Supply
from app.claude.turn.admission import Admission
from app.claude.turn.turn import TurnRun
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
from app.transcript import Transcript

log = logging.getLogger(__name__)

Served = Literal["kept", "parked", "rewound", "reused", "spare", "cold"]
# These say nothing against the process, which may answer the next request.
HARMLESS = (BadRequest, Overloaded, AnswerCut, SchemaUnsatisfied, ToolChoiceUnsatisfied)


class Run:
    """Batches of events, once, and what became of the turn.

    `queued_ms`, how long it waited for a slot, is known once it has one,
    `served` and `model` from the first event on, `first_token_ms` from the first piece of text or thinking,
    `usage` and `stop_reason` at the end, `error_code` after a failure.
    Call `close` when nobody iterates any longer; it ends a turn that is still going.
    """

    def __init__(
        self,
        admission: Admission,
        *,
        deadlines: Deadlines,
        cancellation: Cancellation,
        supply: Supply,
        finished: Callable[[Run], None],
    ) -> None:
        self.cancellation = cancellation
        self.served: Served | None = None
        self.model: str | None = None
        self.usage = Usage()
        self.stop_reason: str | None = None
        self.error_code: str | None = None
        self.first_token_ms: int | None = None
        self.queued_ms: int | None = None
        self._began = time.monotonic()
        self._admission = admission
        self._deadlines = deadlines
        self._supply = supply
        self._finished = finished
        self._transcript = Transcript(signed=admission.conversation.options.signed)
        self._waiting: Waiting | None = None
        self._released = False
        self._turn_run: TurnRun | None = None
        self._error: ProxyError | None = None
        self._batches = self._generate()

    def __iter__(self) -> Iterator[list[Event]]:
        """Return the one iterator over batches; it raises ProxyError when the turn fails."""
        return self._batches

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the request for this turn."""
        return int((time.monotonic() - self._began) * 1000)

    @property
    def _conversation(self) -> Conversation:
        return self._admission.conversation

    def note(self, error: ProxyError) -> None:
        """Keep what went wrong for the log; the first error stays."""
        self.error_code = self.error_code or error.code or error.type

    def close(self) -> None:
        """End the turn if it is still going, and give back slot and process; idempotent."""
        if inspect.getgeneratorstate(self._batches) == inspect.GEN_RUNNING:
            return  # in another thread, one of `MergedTurns`, which closes it when it gets out of it
        self._batches.close()
        self._release()

    def _generate(self) -> Generator[list[Event]]:
        try:
            for _ in self._admission.wait():
                yield []
            self.queued_ms = self.elapsed_ms
            yield from self._attempts()
        except ProxyError as error:
            # A cancelled turn ends as a killed process; the reason is the truth.
            reason = self.cancellation.reason
            self._error = error if reason is None or isinstance(error, TurnTimeout) else None
            error = reason or error
            self.note(error)
            if isinstance(error, NotLoggedIn):
                self._supply.login.failed()
            self._note_limit(error)
            raise error from None
        finally:
            self._release()

    def _attempts(self) -> Iterator[list[Event]]:
        """Yield the turn's batches; where a process that was there before the request fails it, of another's turn."""
        conversation = self._conversation
        self._supply.locator.check(conversation)
        told = steps(conversation.turns)
        digests = lineage(conversation, told)
        while True:
            taken = self._supply.take(conversation, digests, told, self.served)
            self.served = _served(taken, digests)
            turn = TurnRun(
                taken, conversation, told, digests, self._deadlines, waited=taken.waiting.ready or taken.waiting.told
            )
            self._waiting, self._turn_run = taken.waiting, turn
            self.cancellation.on_cancel(lambda turn=turn: self._stop(turn))  # type: ignore[misc]
            self._deadlines.touch()
            try:
                yield from self._observe(turn)
            except ProxyError as error:
                if self.cancellation.reason is not None or turn.answering or not self._is_to_blame(taken, error):
                    raise
                process = taken.waiting.process
                log.warning("%s process failed pid=%d error=%s", self.served, process.pid, error.code)
                self._waiting = None
                self._supply.dispose(process, at_once=True, cause="failed")
                continue
            return

    def _is_to_blame(self, taken: Taken, error: ProxyError) -> bool:
        """Tell whether a process that was started before the request may have failed it.

        It may be dead, or know something that the API refuses; telling another the conversation anew is always right.
        """
        if isinstance(error, CliFailed):
            return taken.waiting.in_advance
        return isinstance(error, BadRequest) and taken.place > 0

    def _stop(self, turn: TurnRun) -> None:
        """End the turn from outside: by asking the CLI to end it, where the process may be of further use."""
        reason = self.cancellation.reason
        if turn.asked and not isinstance(reason, ShuttingDown) and self._supply.undoes(turn.waiting):
            with contextlib.suppress(ProxyError):
                turn.channel.interrupt()
                return
        self._supply.dispose(turn.waiting.process, at_once=True, cause="cancelled")

    def _observe(self, turn: TurnRun) -> Iterator[list[Event]]:
        for batch in turn.batches():
            self.cancellation.check()
            for event in batch:
                self._transcript.feed(event)
                if isinstance(event, TurnStart):
                    self._answered(event, turn)
                elif isinstance(event, TurnEnd):
                    self._supply.catalogue.note(turn.models)
                    self.usage, self.stop_reason = event.usage, event.stop_reason
                    # Before the client knows of the end: its next request may come at once.
                    self._part_with(turn)
                elif self.first_token_ms is None and isinstance(event, TextDelta | ThinkingDelta):
                    self.first_token_ms = self.elapsed_ms
            yield batch
        if turn.channel.skipped:
            log.debug("skipped lines of unknown type n=%d", turn.channel.skipped)

    def _answered(self, event: TurnStart, turn: TurnRun) -> None:
        self.model = event.model
        self._supply.login.verified()
        self._supply.plan.succeeded(self._conversation.model)
        self._supply.catalogue.update(turn.channel.models)
        # Not earlier: a starting CLI takes half a second of a core, which the first token of this turn needs.
        self._supply.refill(proven=True)

    def _note_limit(self, error: ProxyError) -> None:
        told = self._turn_run.limit if self._turn_run is not None else None
        if isinstance(error, PlanLimit) and told is not None:
            self._supply.plan.refused(told, self._conversation.model, error.message)

    def _part_with(self, turn: TurnRun) -> None:
        """Give the process back to the shelf, or see that it does nothing more; once."""
        waiting, self._waiting = self._waiting, None
        if waiting is None:
            return
        # From here on a cancellation has nothing to end; one that was faster has.
        self.cancellation.on_cancel(None)
        cut = self.cancellation.reason is not None
        if self.stop_reason is not None and not cut:
            turn.remember(self._transcript.turn())
        else:
            waiting.memory.exact = False
        waiting.models, waiting.affinity = turn.channel.models, self._conversation.affinity
        waiting.goes_on = self._conversation.goes_on
        undoes = self._supply.undoes(waiting)
        end = fate(
            Ended(
                stop_reason=self.stop_reason,
                idle=turn.channel.idle,
                exact=waiting.memory.exact and (waiting.binary.capabilities.parked or not waiting.memory.calls),
                asked=turn.asked,
                sound=self._is_sound(),
                goes_on=self._conversation.goes_on,
                going_back=undoes,
            )
        )
        cause = "failed" if self.error_code and not cut and self.stop_reason is None else end.why
        self._supply.part_with(turn, end.what, cause, interrupted=cut)

    def _is_sound(self) -> bool:
        if isinstance(self.cancellation.reason, ShuttingDown):
            return False
        return self._error is None or isinstance(self._error, HARMLESS)

    def _release(self) -> None:
        if self._released:
            return
        self._released = True
        self.cancellation.on_cancel(None)
        turn = self._turn_run
        if turn is not None and turn.limit is not None:
            self._supply.plan.note(turn.limit)
        if turn is not None and self._waiting is not None:
            if isinstance(self._error, CliFailed | TurnTimeout):
                process = self._waiting.process
                log.warning("cli failed pid=%d exit=%s stderr=%r", process.pid, process.exit_code, process.stderr_tail)
            self._part_with(turn)
        self._admission.leave()
        self._finished(self)


def _served(taken: Taken, lineage: Sequence[bytes]) -> Served:
    """Return in what way a process is to answer."""
    memory = taken.waiting.memory
    if taken.waiting.spare:
        return "spare" if taken.waiting.ready else "cold"
    if taken.place == 0 and not memory.knows(lineage):
        return "reused"
    if taken.place < len(memory.lines) or not memory.exact:
        return "rewound"
    return "parked" if memory.calls else "kept"
