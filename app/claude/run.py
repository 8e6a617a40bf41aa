"""One request's turn, from the queue to the end of its process."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Generator, Iterator
from typing import Literal

from app.cancellation import Cancellation
from app.claude.admission import Admission
from app.claude.binary import Binary
from app.claude.deadlines import Deadlines
from app.claude.kept import Kept
from app.claude.lineage import extended, lineage
from app.claude.process import Process
from app.claude.supply import Supply
from app.claude.turn import TurnRun
from app.conversation import Conversation
from app.errors import BadRequest, CliFailed, NotLoggedIn, PlanLimit, ProxyError, TurnTimeout
from app.events import Event, TextDelta, ThinkingDelta, TurnEnd, TurnStart, Usage
from app.transcript import Transcript

log = logging.getLogger(__name__)

Served = Literal["kept", "parked", "primed", "spare", "cold"]
# After these the CLI has nothing left to do, and leaves by itself when its input ends.
COMPLETE = frozenset({"end_turn"})


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
        running: Callable[[], int],
        finished: Callable[[Run], None],
        first: bool,
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
        self._running = running
        self._finished = finished
        self._first = first
        self._lineage: list[bytes] = []
        self._transcript = Transcript(signed=admission.conversation.options.signed)
        self._binary: Binary | None = None
        self._process: Process | None = None
        self._released = False
        self._turn_run: TurnRun | None = None
        self._blamed = False  # the process itself failed, so the log wants its last words
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
            error = reason or error
            self.note(error)
            self._blamed = reason is None and isinstance(error, CliFailed | TurnTimeout)
            if isinstance(error, NotLoggedIn):
                self._supply.login.failed()
            self._note_limit(error)
            raise error from None
        finally:
            self._release()

    def _attempts(self) -> Iterator[list[Event]]:
        self._supply.locator.check(self._conversation)
        self._lineage = lineage(self._conversation)
        kept = self._supply.take_kept(self._conversation, self._lineage, self._running())
        if kept is not None:
            self.served = "parked" if kept.calls else "primed" if kept.primed else "kept"
            turn = self._turn(kept.process, kept.binary, kept)
            # Replay is always right, so what fails before the answer's beginning is tried again that way.
            if (yield from self._succeeds(turn, lambda error: not turn.answering and _may_be_stale(error, kept))):
                return
        own_tools = self._conversation.own_tools
        spare = self._supply.take(self._running(), own_tools)
        self.served = "spare" if spare.ready else "cold"
        turn = self._turn(spare.process, spare.binary)
        # A spare may have died while it waited.
        waited = spare.ready
        if (
            yield from self._succeeds(
                turn, lambda error: waited and not turn.channel.opened and isinstance(error, CliFailed)
            )
        ):
            return
        self.served = "cold"
        fresh = self._supply.start(own_tools)
        yield from self._observe(self._turn(fresh.process, fresh.binary))

    def _succeeds(self, turn: TurnRun, forgivable: Callable[[ProxyError], bool]) -> Generator[list[Event], None, bool]:
        """Yield a turn's batches; return False where it failed in a way that the client need not know of."""
        try:
            yield from self._observe(turn)
        except ProxyError as error:
            if self._process is None or self.cancellation.reason is not None or not forgivable(error):
                raise
            log.warning("%s process failed pid=%d error=%s", self.served, self._process.pid, error.code)
            self._supply.dispose(self._process, at_once=True, cause="failed")
            return False
        return True

    def _turn(self, process: Process, binary: Binary, kept: Kept | None = None) -> TurnRun:
        self._process, self._binary = process, binary
        self.cancellation.on_cancel(lambda: self._supply.dispose(process, at_once=True, cause="cancelled"))
        self._deadlines.touch()
        composed = binary.capabilities.composed
        self._turn_run = TurnRun(process, self._conversation, self._deadlines, composed=composed, kept=kept)
        return self._turn_run

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
        if self._first and self.served not in {"kept", "parked"}:
            self._supply.primed.note(self._conversation, self._lineage[0])

    def _note_limit(self, error: ProxyError) -> None:
        told = self._turn_run.limit if self._turn_run is not None else None
        if isinstance(error, PlanLimit) and told is not None:
            self._supply.plan.refused(told, self._conversation.model, error.message)

    def _part_with(self, turn: TurnRun) -> None:
        """Keep the process for what follows in this conversation, or see that it does nothing more."""
        process, binary, said = self._process, self._binary, self._transcript.turn()
        if process is None or binary is None:
            return
        if turn.open_calls is not None and said is not None and self._conversation.goes_on:
            self.cancellation.on_cancel(None)
            if self.cancellation.reason is None:
                self._process = None
                digest = extended(self._lineage[-1], said)
                turns = len(self._conversation.turns) + 1
                affinity = self._conversation.affinity
                told = turn.channel
                self._supply.kept.put(
                    Kept(process, binary, told.tools, digest, turns, turn.open_calls, told.models, affinity)
                )
                return
        # Left with an answer cut, the CLI asks the API to go on, at once: even at SIGTERM it still sends that request.
        if self.stop_reason not in COMPLETE:
            process.kill()

    def _release(self) -> None:
        if self._released:
            return
        self._released = True
        self.cancellation.on_cancel(None)
        if self._turn_run is not None and self._turn_run.limit is not None:
            self._supply.plan.note(self._turn_run.limit)
        if self._process is not None:
            if self._blamed:
                process = self._process
                log.warning("cli failed pid=%d exit=%s stderr=%r", process.pid, process.exit_code, process.stderr_tail)
            cause = "turn_over" if self.stop_reason is not None else "failed" if self.error_code else "cancelled"
            self._supply.dispose(self._process, at_once=self.stop_reason not in COMPLETE, cause=cause)
        self._admission.leave()
        self._finished(self)


def _may_be_stale(error: ProxyError, kept: Kept) -> bool:
    """Tell whether a kept process may be to blame: dead, or with something in its memory that the API refuses."""
    return isinstance(error, CliFailed) or (not kept.primed and isinstance(error, BadRequest))
