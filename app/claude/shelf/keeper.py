"""Keeps the shelf filled, off the request path: starts spares, ends old processes, undoes turns left open."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from app.agents.agent import Workplace
from app.claude.cli.binary import Binary
from app.claude.cli.channel import START_SECONDS, Deadlines
from app.claude.cli.incoming import ControlReply
from app.claude.cli.registry import Registry
from app.claude.shelf.shelf import Shelf, Waiting
from app.errors import CliFailed, ProxyError
from app.models import Catalogue

log = logging.getLogger(__name__)

# How long `join` waits for a start that is under way.
LAST_START_SECONDS = 2.0
# How often the shelf is inspected when nobody wakes the keeper.
INSPECTION_SECONDS = 5.0
# After a failed start the next one waits, twice as long each time, so that a broken CLI takes little of the machine.
FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 60.0


class Keeper:
    """A thread that looks after `shelf`. Thread-safe.

    `wanted` says how many spares there are to be, for chats (None) and by the agents' workplaces; `start` starts one.
    The CLI's list of models, which costs no model call, goes to `catalogue`. `undo` gets a process whose calls were
    not answered in time, and `current` returns the executable.
    """

    def __init__(
        self,
        shelf: Shelf,
        wanted: dict[Workplace | None, int],
        *,
        current: Callable[[], Binary],
        start: Callable[[Workplace | None], Waiting],
        undo: Callable[[Waiting], None],
        registry: Registry,
        catalogue: Catalogue,
    ) -> None:
        self.wanted = wanted
        self.problem: CliFailed | None = None
        self._shelf = shelf
        self._current = current
        self._start = start
        self._undo = undo
        self._registry = registry
        self._catalogue = catalogue
        self._wake = threading.Event()
        self._closed = False
        self._pause = self._paused_until = 0.0
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def spares(self) -> dict[str, int]:
        """Return how many spares for plain chats are wanted, and how many have started and wait."""
        return self._count(lambda workplace: workplace is None)

    def agents(self) -> dict[str, int]:
        """Return the same of agents' spares."""
        return self._count(lambda workplace: workplace is not None)

    def open(self) -> None:
        """Begin; the first spare is under way when this returns."""
        self._wake.set()
        self._thread.start()

    def wake(self, *, proven: bool = False) -> None:
        """Have the shelf looked at soon.

        `proven` says that a process has just worked: what failed before is over, and nobody needs to wait for it.
        """
        if proven:
            self.problem = None
            self._pause = self._paused_until = 0.0
        self._wake.set()

    def ask(self, subtype: str, seconds: float, **fields: Any) -> ControlReply | None:
        """Put a control request to a spare that waits and return its answer, or None if none comes in time.

        A turn that takes the process meanwhile is not held up; it skips the answer.
        Raises ProxyError when the process is gone.
        """
        asked: list[str] = []
        replies: list[ControlReply] = []

        def act(spare: Waiting) -> bool:
            channel = spare.channel
            if not asked:
                channel.deadlines = Deadlines(2 * seconds, 2 * seconds)
                asked.append(channel.send(subtype, **fields))
            channel.drain()
            reply = channel.reply(asked[0])
            replies.extend([reply] if reply is not None else [])
            return reply is not None

        self._shelf.look(lambda one: one.spare and one.ready and one.process.alive, seconds, act)
        return replies[0] if replies else None

    def close(self) -> None:
        """Start nothing any longer; idempotent."""
        self._closed = True
        self._wake.set()

    def join(self) -> None:
        """Wait, after `close`, for the end of a start that is under way; bounded."""
        if self._thread.is_alive():
            self._thread.join(LAST_START_SECONDS)

    def _count(self, which: Callable[[Workplace | None], bool]) -> dict[str, int]:
        wanted = sum(number for workplace, number in list(self.wanted.items()) if which(workplace))
        return {
            "wanted": wanted,
            "ready": self._shelf.count(lambda one: one.spare and one.ready and which(one.workplace)),
        }

    def _keep(self) -> None:
        while True:
            left = self._paused_until - time.monotonic()
            self._wake.wait(min(INSPECTION_SECONDS, left) if left > 0 else INSPECTION_SECONDS)
            self._wake.clear()
            if self._closed:
                return
            try:
                for one in self._shelf.tidy(self._executable()):
                    self._undo(one)
                if time.monotonic() >= self._paused_until:
                    self._fill()
            except CliFailed as error:
                if self._closed:
                    return  # closed during a start
                self._wait_for(min(MAX_PAUSE_SECONDS, self._pause * 2 or FIRST_PAUSE_SECONDS))
                if self.problem is None or self.problem.message != error.message:
                    log.warning("no spare code=%s error=%s", error.code, error.message)
                self.problem = error
            except Exception:
                # No other thread does this work, so this one must survive every error.
                self._wait_for(MAX_PAUSE_SECONDS)
                log.exception("no spare")

    def _executable(self) -> Binary | None:
        try:
            return self._current()
        except ProxyError:
            return None  # a start says why

    def _wait_for(self, pause: float) -> None:
        self._pause, self._paused_until = pause, time.monotonic() + pause

    def _fill(self) -> None:
        for workplace, number in list(self.wanted.items()):
            while not self._closed and number > self._shelf.count(
                lambda one, workplace=workplace: one.spare and one.workplace == workplace  # type: ignore[misc]
            ):
                self._add(self._start(workplace))
        self._pause = 0.0
        self.problem = None

    def _add(self, spare: Waiting) -> None:
        process, channel = spare.process, spare.channel
        try:
            # The answer is the list of models; older versions answer that they know no such request.
            request_id = channel.send("list_models")
        except BaseException:
            self._registry.dispose(process, at_once=True)
            raise
        self._shelf.put(spare)

        def act(_: Waiting) -> bool:
            channel.drain()
            spare.ready = spare.ready or channel.reply(request_id) is not None
            return spare.ready

        deadline = time.monotonic() + START_SECONDS
        try:
            # In small steps: a request can take the process meanwhile, and the keeper can be closed.
            self._shelf.look(lambda one: one is spare, START_SECONDS, act)
            _check_in_time(spare, deadline)
        except BaseException:
            if not self._closed:
                said = process.stderr_tail
                log.warning("spare failed pid=%d exit=%s stderr=%r", process.pid, process.exit_code, said)
            self._shelf.give_up([spare], "surplus")
            raise
        self._catalogue.update(channel.models)


def _check_in_time(spare: Waiting, deadline: float) -> None:
    if not spare.ready and time.monotonic() >= deadline:
        raise CliFailed("The claude CLI did not get ready in time.", code="cli_exited")
