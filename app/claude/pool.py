"""Turns for conversations, at most so many at once, and the end of them all."""

from __future__ import annotations

import threading
import time

from app import backend
from app.backend import Cli, Preparation, Readiness, Status
from app.cancellation import Cancellation
from app.claude.cli.deadlines import Deadlines
from app.claude.cli.proofs import Proof
from app.claude.shelf.supply import Supply
from app.claude.turn.admission import Admission
from app.claude.turn.failure import login_sentence
from app.claude.turn.run import Run
from app.claude.turn.slots import Slots
from app.config import Settings
from app.conversation import Conversation
from app.errors import CliFailed, ShuttingDown
from app.models import Catalogue

# Spares may have failed for these before the executable was put right; it is looked at anew.
LOOKED_AT = frozenset({"cli_missing", "cli_version"})
RESTARTING = "The server is shutting down; try again when it is back."


class Pool:
    """Runs conversations on CLI processes. Call `open` after any fork, and `drain` or `close` before the end."""

    def __init__(self, settings: Settings, catalogue: Catalogue) -> None:
        self.slots = Slots(settings.max_concurrency, settings.queue_limit)
        self.supply = Supply(settings, catalogue, lambda: self.slots.running)
        self._settings = settings
        self._lock = threading.Lock()
        self._runs: set[Run] = set()
        self.draining = False
        self.unproven: str | None = None  # why the last proof could not be made

    def open(self) -> None:
        """Get ready to serve. Raises ConfigError when the state folder cannot be used."""
        self.supply.open()

    def run(
        self,
        conversation: Conversation,
        cancellation: Cancellation,
        preparation: Preparation | None = None,
        *,
        client: str = "",
    ) -> Run:
        """Return the turn of a conversation; it starts when it is iterated. `cancellation` ends it from outside.

        Where there is a `preparation` it begins with that, which gives the conversation to go on with. Slots and queue
        are shared out fairly over the `client`s. Raises QueueFull or ShuttingDown. Close the run when done.
        """
        if self.draining:
            raise ShuttingDown(RESTARTING)
        deadlines = Deadlines(self._settings.timeout, self._silence(conversation))
        run = Run(
            Admission(
                conversation,
                client=client,
                preparation=preparation,
                slots=self.slots,
                deadlines=deadlines,
                silence=self._silence,
                cancellation=cancellation,
            ),
            deadlines=deadlines,
            cancellation=cancellation,
            supply=self.supply,
            finished=self._finished,
        )
        with self._lock:
            self._runs.add(run)
        return run

    def admit(self, model: str) -> None:
        """Let a request for this model in, once, however many turns it takes. Raises PlanLimit.

        It may be the one probe of a plan that was used up.
        """
        self.supply.plan.check(model)

    def forget(self, owner: str) -> None:
        """Let no process wait any longer that was told words of this owner's."""
        self.supply.shelf.give_up_of(owner)

    def status(self) -> Status:
        """Return how the pool is, at once; what is known of the plan is refreshed soon where it is old."""
        supply, slots = self.supply, self.slots
        supply.inquiry.look()
        registry, shelf = supply.registry, supply.shelf
        # As requests and the shelf saw it last: a look at the figures starts nothing.
        choice = supply.locator.last
        proof = supply.locator.proof(choice.serving) if choice is not None and choice.serving is not None else None
        broken = len(proof.broken) if proof is not None else 0
        return Status(
            slots=backend.Slots(slots.limit, slots.running, slots.waiting),
            spares=backend.Spares(**supply.keeper.spares()),
            agents=backend.Spares(**supply.keeper.agents()),
            kept=backend.Kept(shelf.limit, shelf.idle, shelf.parked),
            processes=backend.Processes(len(registry), dict(registry.starts), dict(registry.ends)),
            plan=backend.Plan(supply.plan.windows, supply.plan.limits),
            promises={} if proof is None else {"kept": len(proof.outcomes) - broken, "broken": broken},
            put_aside=choice is not None and choice.put_aside is not None,
            unproven=self.unproven,
        )

    def readiness(self) -> Readiness:
        """Return whether a request would be answered; it may run the CLI, and take a second."""
        supply = self.supply
        reason = "The server is shutting down." if self.draining else None
        try:
            choice = supply.locator.choice()
            binary = choice.current()
        except CliFailed as error:
            return Readiness(reason or error.message, Cli(found=False, put_aside=None), "unknown")
        login = supply.login.state(binary.path)
        if login in {"absent", "failed"}:
            reason = reason or login_sentence(supply.login.command(binary.path))
        elif supply.keeper.problem is not None and supply.keeper.problem.code not in LOOKED_AT:
            reason = reason or supply.keeper.problem.message
        proof = _told(supply.locator.proof(binary))
        cli = Cli(
            found=True,
            put_aside=choice.put_aside,
            path=str(binary.path),
            version=binary.version_text,
            proof=proof,
        )
        return Readiness(reason, cli, login)

    def drain(self, seconds: float) -> None:
        """Take no more requests, give the running turns `seconds` to end, then end them with ShuttingDown."""
        self.draining = True
        self.supply.stop()
        deadline = time.monotonic() + seconds
        while self._runs and time.monotonic() < deadline:
            time.sleep(0.05)
        self.close()

    def close(self) -> None:
        """End every turn and every process; idempotent and bounded."""
        self.draining = True
        self.supply.stop()
        with self._lock:
            runs = list(self._runs)
        for run in runs:
            run.cancellation.cancel(ShuttingDown(RESTARTING))
        self.supply.close()

    def _silence(self, conversation: Conversation) -> float:
        # A tool of the CLI's own may work in silence for as long as it takes.
        return self._settings.timeout if conversation.own_tools else self._settings.idle_timeout

    def _finished(self, run: Run) -> None:
        with self._lock:
            self._runs.discard(run)
        self.supply.refill()


def _told(proof: Proof | None) -> backend.Proof:
    """Return how far an executable is proven, and which promises it does not keep."""
    if proof is None:
        return backend.Proof("not proven yet")
    broken = {outcome.promise: f"{outcome.sentence}: {outcome.detail}" for outcome in proof.broken}
    return backend.Proof("proven" if proof.holds else "broken", proof.at, len(proof.outcomes), broken)
