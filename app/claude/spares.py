"""CLI processes started in advance, waiting before their `initialize`: the way to an early first token."""

from __future__ import annotations

import collections
import dataclasses
import logging
import threading
import time
from collections.abc import Callable

from app.claude.binary import Binary
from app.claude.lines import control_line
from app.claude.process import Process
from app.claude.protocol import ControlReply, ControlResponse, decode
from app.claude.registry import Registry
from app.errors import CliFailed
from app.models import Catalogue

log = logging.getLogger(__name__)

MAX_AGE = 3600.0
START_TIMEOUT = 30.0
# How long the end waits for a start that is under way, in seconds.
LAST_START = 2.0
# How often the spares are looked at when nothing calls for it, in seconds.
INSPECTION = 5.0
# After a failed start the next try waits, twice as long each time, so that a broken CLI does not eat the machine.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 60.0


@dataclasses.dataclass(eq=False)
class Spare:
    """A started process and the executable it runs; `ready` once it has answered, at the end of its start."""

    process: Process
    binary: Binary
    ready: bool = False


class Spares:
    """Keeps `count` processes ready, refilled by a thread of its own off the request path. Thread-safe.

    `start` starts one process; the CLI's list of models, which a waiting process tells without a model call, goes to
    `catalogue`.
    """

    def __init__(self, count: int, start: Callable[[], Spare], registry: Registry, catalogue: Catalogue) -> None:
        self.wanted = count
        self._start = start
        self._registry = registry
        self._catalogue = catalogue
        self._lock = threading.Lock()
        self._waiting: collections.deque[Spare] = collections.deque()
        self._wanted = threading.Event()
        self._closed = False
        self._pause = self._paused_until = 0.0
        self._thread = threading.Thread(target=self._keep, name="spares", daemon=True)
        self.problem: CliFailed | None = None

    @property
    def ready(self) -> int:
        """How many processes have started and wait."""
        return sum(spare.ready for spare in list(self._waiting))

    def open(self) -> None:
        """Begin to keep spares; the first one is under way when this returns."""
        self._wanted.set()
        self._thread.start()

    def take(self, binary: Binary) -> Spare | None:
        """Return a living spare of this executable, for good, or None; call `refill` when there is time for it.

        One that is still starting is given too: its start is under way, a new one's is not.
        """
        while True:
            with self._lock:
                spare = self._waiting.popleft() if self._waiting else None
            if spare is None or (spare.binary == binary and spare.process.alive):
                return spare
            self._registry.dispose(spare.process, at_once=False)

    def refill(self, *, proven: bool = False) -> None:
        """Start replacements soon, in the background.

        `proven` says that a process has just worked: what failed before is over, and nobody needs to wait for it.
        """
        if proven:
            self.problem = None
            self._pause = self._paused_until = 0.0
        self._wanted.set()

    def ask(self, line: bytes, request_id: str, seconds: float) -> ControlReply | None:
        """Put a control request to a process that waits and return its answer, or None if none comes in time.

        A turn that takes the process meanwhile is not held up; it gets the answer too, and has no use for it.
        Raises ProxyError when the process is gone.
        """
        with self._lock:
            spare = next((spare for spare in self._waiting if spare.ready and spare.process.alive), None)
            if spare is None:
                return None
            spare.process.write(line, seconds)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            readable = spare.process.readable(0.5)
            with self._lock:
                if spare not in self._waiting:
                    return None
                for raw in spare.process.read(0.01) if readable else ():
                    told = decode(raw)
                    if isinstance(told, ControlResponse) and told.response.request_id == request_id:
                        return told.response
        return None

    def close(self) -> None:
        """Stop keeping spares and end those that wait; idempotent."""
        self._closed = True
        self._wanted.set()
        with self._lock:
            waiting, self._waiting = self._waiting, collections.deque()
        for spare in waiting:
            self._registry.dispose(spare.process, at_once=False)

    def join(self) -> None:
        """Wait, after `close`, for the end of a start that is under way; bounded."""
        if self._thread.is_alive():
            self._thread.join(LAST_START)

    def _keep(self) -> None:
        while True:
            left = self._paused_until - time.monotonic()
            self._wanted.wait(left if left > 0 else INSPECTION)
            self._wanted.clear()
            if self._closed:
                return
            if time.monotonic() < self._paused_until:
                continue
            try:
                self._retire()
                while len(self._waiting) < self.wanted and not self._closed:
                    self._add()
                self._pause = 0.0
                self.problem = None
            except CliFailed as error:
                if self._closed:
                    return  # `close` ended it in the midst of its start
                self._wait_for(min(LONGEST_PAUSE, self._pause * 2 or FIRST_PAUSE))
                if self.problem is None or self.problem.message != error.message:
                    log.warning("no spare code=%s error=%s", error.code, error.message)
                self.problem = error
            except Exception:
                # This thread is the only one that refills: it must outlive what nobody foresaw.
                self._wait_for(LONGEST_PAUSE)
                log.exception("no spare")

    def _wait_for(self, pause: float) -> None:
        self._pause, self._paused_until = pause, time.monotonic() + pause

    def _retire(self) -> None:
        for spare in list(self._waiting):
            if not spare.process.alive or time.monotonic() - spare.process.started > MAX_AGE:
                self._drop(spare, at_once=False)

    def _add(self) -> None:
        spare = self._start()
        process = spare.process
        try:
            # What it answers is the list of models, or, from older versions, that it knows no such request.
            process.write(control_line("models", "list_models"), START_TIMEOUT)
        except BaseException:
            self._registry.dispose(process, at_once=True)
            raise
        with self._lock:
            self._waiting.append(spare)
        try:
            self._until_ready(spare)
        except BaseException:
            if not self._closed:
                said = process.stderr_tail
                log.warning("spare failed pid=%d exit=%s stderr=%r", process.pid, process.exit_code, said)
            self._drop(spare, at_once=True)
            raise
        if self._closed:
            self.close()

    def _until_ready(self, spare: Spare) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            readable = spare.process.readable(1.0)
            with self._lock:
                if spare not in self._waiting:
                    return  # a request took it; what it says belongs to that turn
                for raw in spare.process.read(0.01) if readable else ():
                    line = decode(raw)
                    if isinstance(line, ControlResponse):
                        spare.ready = True
                        if line.response.response is not None:
                            self._catalogue.update(tuple(line.response.response.models or ()))
            if spare.ready:
                return
        raise CliFailed("The claude CLI did not get ready in time.", code="cli_exited")

    def _drop(self, spare: Spare, *, at_once: bool) -> None:
        with self._lock:
            if spare not in self._waiting:
                return  # a request was faster
            self._waiting.remove(spare)
        self._registry.dispose(spare.process, at_once=at_once)
