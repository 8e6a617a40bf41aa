"""Keeps the shelf as it should be, off the request path: starts spares, retires what is old, undoes what is left."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from app.claude.cli.binary import Binary
from app.claude.cli.lines import control_line
from app.claude.cli.protocol import ControlReply, ControlResponse, decode
from app.claude.cli.registry import Registry
from app.claude.shelf.shelf import Shelf, Waiting
from app.errors import CliFailed, ProxyError
from app.models import Catalogue

log = logging.getLogger(__name__)

START_TIMEOUT = 30.0
# How long the end waits for a start that is under way, in seconds.
LAST_START = 2.0
# How often the shelf is looked at when nothing calls for it, in seconds.
INSPECTION = 5.0
# After a failed start the next try waits, twice as long each time, so that a broken CLI does not eat the machine.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0


class Keeper:
    """A thread that looks after `shelf`. Thread-safe.

    `wanted` says how many spares there are to be, by the tools of Claude Code's own that they have; `start` starts one.
    The CLI's list of models, which it tells without a model call, goes to `catalogue`. `undo` takes what nobody has
    answered in time, and `current` tells the executable.
    """

    def __init__(
        self,
        shelf: Shelf,
        wanted: dict[tuple[str, ...], int],
        *,
        current: Callable[[], Binary],
        start: Callable[[tuple[str, ...]], Waiting],
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
        return self._count(lambda own_tools: not own_tools)

    def agents(self) -> dict[str, int]:
        """Return the same of those that have tools of Claude Code's own."""
        return self._count(bool)

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

    def ask(self, line: bytes, request_id: str, seconds: float) -> ControlReply | None:
        """Put a control request to a spare that waits and return its answer, or None if none comes in time.

        A turn that takes the process meanwhile is not held up; it gets the answer too, and has no use for it.
        Raises ProxyError when the process is gone.
        """
        replies: list[ControlReply] = []
        asked = False

        def act(spare: Waiting) -> bool:
            nonlocal asked
            if not asked:
                spare.process.write(line, seconds)
                asked = True
            replies.extend(reply for reply in _replies(spare) if reply.request_id == request_id)
            return bool(replies)

        self._shelf.look(lambda one: one.spare and one.ready and one.process.alive, seconds, act)
        return replies[0] if replies else None

    def close(self) -> None:
        """Start nothing any longer; idempotent."""
        self._closed = True
        self._wake.set()

    def join(self) -> None:
        """Wait, after `close`, for the end of a start that is under way; bounded."""
        if self._thread.is_alive():
            self._thread.join(LAST_START)

    def _count(self, which: Callable[[tuple[str, ...]], bool]) -> dict[str, int]:
        wanted = sum(number for own_tools, number in list(self.wanted.items()) if which(own_tools))
        return {
            "wanted": wanted,
            "ready": self._shelf.count(lambda one: one.spare and one.ready and which(one.own_tools)),
        }

    def _keep(self) -> None:
        while True:
            left = self._paused_until - time.monotonic()
            self._wake.wait(min(INSPECTION, left) if left > 0 else INSPECTION)
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
                    return  # the end came in the midst of a start
                self._wait_for(min(LONGEST_PAUSE, self._pause * 2 or FIRST_PAUSE))
                if self.problem is None or self.problem.message != error.message:
                    log.warning("no spare code=%s error=%s", error.code, error.message)
                self.problem = error
            except Exception:
                # This thread is the only one that does this: it must outlive what nobody foresaw.
                self._wait_for(LONGEST_PAUSE)
                log.exception("no spare")

    def _executable(self) -> Binary | None:
        try:
            return self._current()
        except ProxyError:
            return None  # a start says why

    def _wait_for(self, pause: float) -> None:
        self._pause, self._paused_until = pause, time.monotonic() + pause

    def _fill(self) -> None:
        for own_tools, number in list(self.wanted.items()):
            while not self._closed and number > self._shelf.count(
                lambda one, own_tools=own_tools: one.spare and one.own_tools == own_tools  # type: ignore[misc]
            ):
                self._add(self._start(own_tools))
        self._pause = 0.0
        self.problem = None

    def _add(self, spare: Waiting) -> None:
        process = spare.process
        try:
            # What it answers is the list of models, or, from older versions, that it knows no such request.
            process.write(control_line("models", "list_models"), START_TIMEOUT)
        except BaseException:
            self._registry.dispose(process, at_once=True)
            raise
        self._shelf.put(spare)
        deadline = time.monotonic() + START_TIMEOUT
        try:
            # Not to its end at once: a request that takes it is not to wait, and neither is what else there is to do.
            self._shelf.look(lambda one: one is spare, START_TIMEOUT, self._gets_ready)
            _check_in_time(spare, deadline)
        except BaseException:
            if not self._closed:
                said = process.stderr_tail
                log.warning("spare failed pid=%d exit=%s stderr=%r", process.pid, process.exit_code, said)
            self._shelf.give_up([spare], "surplus")
            raise

    def _gets_ready(self, spare: Waiting) -> bool:
        for reply in _replies(spare):
            spare.ready = True
            if reply.response is not None:
                self._catalogue.update(tuple(reply.response.models or ()))
        return spare.ready


def _check_in_time(spare: Waiting, deadline: float) -> None:
    if not spare.ready and time.monotonic() >= deadline:
        raise CliFailed("The claude CLI did not get ready in time.", code="cli_exited")


def _replies(spare: Waiting) -> list[ControlReply]:
    """Return the answers to control requests that have come."""
    if not spare.process.readable(0):
        return []
    told = (decode(raw) for raw in spare.process.read(0.01))
    return [line.response for line in told if isinstance(line, ControlResponse)]
