"""Turns for conversations, at most so many at once, and the end of them all."""

from __future__ import annotations

import threading
import time

from app.cancellation import Cancellation
from app.claude.admission import Admission, Preparation
from app.claude.deadlines import Deadlines
from app.claude.run import Run
from app.claude.slots import Slots
from app.claude.supply import Supply
from app.config import Settings
from app.conversation import Conversation
from app.errors import ShuttingDown
from app.models import Catalogue

RESTARTING = "The server is shutting down; try again when it is back."


class Pool:
    """Runs conversations on CLI processes. Call `open` after any fork, and `drain` or `close` before the end."""

    def __init__(self, settings: Settings, catalogue: Catalogue) -> None:
        self.supply = Supply(settings, catalogue)
        self.slots = Slots(settings.max_concurrency, settings.queue_limit)
        self._settings = settings
        self._lock = threading.Lock()
        self._runs: set[Run] = set()
        self.draining = False

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
        first: bool = True,
    ) -> Run:
        """Return the turn of a conversation; it starts when it is iterated. `cancellation` ends it from outside.

        It is the `first` of its request, unless that wants several answers to the same.
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
            running=lambda: self.slots.running,
            finished=self._finished,
            first=first,
        )
        with self._lock:
            self._runs.add(run)
        return run

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
