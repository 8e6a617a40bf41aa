"""Turns for conversations: a bounded number runs at once, and all end when the server does."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

import msgspec

from app import backend
from app.backend import Cli, Count, Extra, Preparation, Readiness, Status, Tap, Window
from app.cancellation import Cancellation
from app.claude.cli.payer import PLAN
from app.claude.cli.proofs import Proof
from app.claude.shelf.processes import Processes
from app.claude.turn.count import Counting, ToolSizes
from app.claude.turn.failure import NO_LOGIN
from app.claude.turn.slots import Slots
from app.claude.turn.turn import Turn
from app.config import Settings
from app.conversation import Conversation
from app.errors import CliFailed, ProxyError, ShuttingDown
from app.models import Catalogue

# `readiness` looks at the executable itself; a spare may have failed for these before it was mended.
LOOKED_AT = frozenset({"cli_missing", "cli_version"})
RESTARTING = "The server is shutting down; try again when it is back."


class Pool:
    """Runs conversations on CLI processes. Call `open` after any fork, and `drain` or `close` before the end."""

    def __init__(self, settings: Settings, catalogue: Catalogue) -> None:
        self.slots = Slots(settings.max_concurrency, settings.queue_limit)
        self.processes = Processes(settings, catalogue, lambda: self.slots.running)
        self._settings = settings
        self._lock = threading.Lock()
        self._turns: set[Turn | Counting] = set()
        self._sizes = ToolSizes()
        self.draining = False
        self.unproven: str | None = None  # why the last proof could not be made

    def open(self) -> None:
        """Get ready to serve. Raises ConfigError when the state folder cannot be used."""
        self.processes.open()

    def run(
        self,
        conversation: Conversation,
        cancellation: Cancellation,
        preparation: Preparation | None = None,
        *,
        client: str = "",
        tap: Tap | None = None,
    ) -> Turn:
        """Return the turn of a conversation; it starts when it is iterated. `cancellation` ends it from outside.

        Where there is a `preparation` it begins with that, which gives the conversation to go on with. Slots and queue
        are shared out fairly over the `client`s. `tap` is told the lines to and from the CLI. Close the turn when done.
        Raises QueueFull or ShuttingDown.
        """
        if self.draining:
            raise ShuttingDown(RESTARTING)
        turn = Turn(
            conversation,
            client=client,
            preparation=preparation,
            cancellation=cancellation,
            settings=self._settings,
            slots=self.slots,
            processes=self.processes,
            over=self._over,
            tap=tap,
        )
        with self._lock:
            self._turns.add(turn)
        return turn

    def count(
        self, conversation: Conversation, cancellation: Cancellation, *, client: str = "", tap: Tap | None = None
    ) -> Count:
        """Count the tokens of a conversation without asking a model; it waits for a slot as a turn does.

        `cancellation` ends it from outside, `tap` is told the lines to and from the CLI.
        Raises QueueFull, ShuttingDown, or NotOffered where it cannot be done.
        """
        if self.draining:
            raise ShuttingDown(RESTARTING)
        # Claude Code's own tools have no part in it.
        plain = msgspec.structs.replace(conversation, own_tools=(), workplace=None)
        counting = Counting(
            plain,
            client=client,
            cancellation=cancellation,
            settings=self._settings,
            slots=self.slots,
            processes=self.processes,
            sizes=self._sizes,
            over=self._over,
            tap=tap,
        )
        with self._lock:
            self._turns.add(counting)
        count = counting.result()
        return Count(count.tokens, exact=count.exact and plain == conversation)

    def admit(self, *models: str) -> tuple[str, ...]:
        """Let a request in, once, however many turns it takes; return the first model that may be asked, and the rest.

        It may be the one probe of a plan that was used up. Raises PlanLimit or ExtraUsage, of the first model, where
        none may be asked.
        """
        refused: ProxyError | None = None
        for place, model in enumerate(models):
            try:
                self.processes.admit(model)
            except ProxyError as error:
                refused = refused or error
            else:
                return models[place:]
        raise refused or AssertionError("a request names a model")

    def check_room(self, client: str, turns: int) -> None:
        """Raise QueueFull or ShuttingDown unless so many turns of a client can all begin or wait now."""
        if self.draining:
            raise ShuttingDown(RESTARTING)
        self.slots.check_room(client, turns)

    def resume(self) -> list[Extra]:
        """Accept the extra usage that is known now until its end; return it. Raises ProxyError."""
        return self.processes.extra_usage.resume()

    def forget(self, owner: str) -> None:
        """End the waiting processes that were told words of this owner."""
        self.processes.shelf.give_up_of(owner)

    def status(self) -> Status:
        """Return the state of the pool without waiting; it has old figures of the plan refreshed in the background."""
        processes, slots = self.processes, self.slots
        processes.inquiry.look()
        registry, shelf, extra = processes.registry, processes.shelf, processes.extra_usage
        # The choice that requests and the shelf saw last: reading the figures must start nothing.
        choice = processes.locator.last
        proof = processes.locator.proof(choice.serving) if choice is not None and choice.serving is not None else None
        broken = len(proof.broken) if proof is not None else 0
        return Status(
            slots=backend.SlotCounts(slots.limit, slots.running, slots.waiting),
            spares=backend.Spares(**processes.keeper.spares()),
            agents=backend.Spares(**processes.keeper.agents()),
            kept=backend.Kept(shelf.limit, shelf.idle, shelf.parked),
            processes=backend.ProcessCounts(len(registry), dict(registry.starts), dict(registry.ends)),
            plan=backend.PlanStatus(
                processes.plan.windows, processes.plan.limits, extra.known, extra.refuses, processes.plan.name
            ),
            promises={} if proof is None else {"kept": len(proof.outcomes) - broken, "broken": broken},
            put_aside=choice is not None and choice.put_aside is not None,
            unproven=self.unproven,
            login=self.login,
        )

    @property
    def login(self) -> str | None:
        """What tells the login from others, as in `Status`; it asks nobody."""
        return self.processes.login.digest

    @property
    def windows(self) -> Mapping[str, Window]:
        """The plan's windows by name, as they were told last; it asks nobody."""
        return self.processes.plan.windows

    def remember(self, windows: Mapping[str, Window]) -> None:
        """Take over windows of its login that were seen before it began, where it has not seen them itself."""
        self.processes.plan.remember(windows)

    def readiness(self) -> Readiness:
        """Return whether a request would be answered; it may run the CLI, and take a second."""
        processes = self.processes
        reason = "The server is shutting down." if self.draining else None
        try:
            choice = processes.locator.choice()
            binary = choice.current()
        except CliFailed as error:
            return Readiness(reason or error.message, Cli(found=False, put_aside=None), "unknown")
        login = processes.login.state(binary.path)
        if login in {"absent", "failed"}:
            reason = reason or NO_LOGIN
        elif processes.keeper.problem is not None and processes.keeper.problem.code not in LOOKED_AT:
            reason = reason or processes.keeper.problem.message
        proof = _told(processes.locator.proof(binary))
        cli = Cli(
            found=True,
            put_aside=choice.put_aside,
            path=str(binary.path),
            version=binary.version_text,
            proof=proof,
        )
        payer = processes.login.payer(binary.path)
        return Readiness(reason, cli, login, "extra usage" if payer == PLAN and processes.extra_usage.known else payer)

    def drain(self, seconds: float) -> None:
        """Take no more requests, give the running turns `seconds` to end, then end them with ShuttingDown."""
        self.draining = True
        self.processes.stop()
        deadline = time.monotonic() + seconds
        while self._turns and time.monotonic() < deadline:
            time.sleep(0.05)
        self.close()

    def close(self) -> None:
        """End every turn and every process; idempotent and bounded."""
        self.draining = True
        self.processes.stop()
        with self._lock:
            turns = list(self._turns)
        for turn in turns:
            turn.cancellation.cancel(ShuttingDown(RESTARTING))
        self.processes.close()

    def _over(self, turn: Turn | Counting) -> None:
        with self._lock:
            self._turns.discard(turn)
        self.processes.keeper.wake()


def _told(proof: Proof | None) -> backend.ProofStatus:
    """Return how far an executable is proven, and which promises it does not keep."""
    if proof is None:
        return backend.ProofStatus("not proven yet")
    broken = {outcome.promise: f"{outcome.sentence}: {outcome.detail}" for outcome in proof.broken}
    return backend.ProofStatus("proven" if proof.holds else "broken", proof.at, len(proof.outcomes), broken)
