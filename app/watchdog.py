"""Notices when the event loop stands still, who held it and where.

A stall has two lengths: on the clock, and in CPU time of this process. Where the second is much shorter, the machine
was busy with others, or the loop waited for a disk.

A native thread looks; the loop itself only notes when it comes back from waiting. While the loop waits for events the
thread sleeps, so that an idle server wakes it no more often than itself.
"""

from __future__ import annotations

import bisect
import importlib
import logging
import sys
import time
from types import FrameType
from typing import NamedTuple

from app.logs import Line

log = logging.getLogger(__name__)

# From how long on a stall is told, in seconds.
STALL_SECONDS = 0.1
# How often the thread looks while the loop works, in seconds.
LOOK_SECONDS = 0.02
# How long it sleeps at most while the loop waits for events, in seconds.
SLEEP_SECONDS = 1.0
# How many of the innermost places of a stall are told.
MAX_PLACES = 8
# Upper bounds of the histogram, in seconds.
BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
# Where the request's id stands in the WSGI environment; the thread finds it on the stack.
REQUEST_ID = "claude_proxy.request_id"


class Stalls:
    """The stalls so far: how many of each length, the longest and all together, in seconds."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)  # by bucket, the last for what is beyond
        self.total = 0.0
        self.longest = 0.0

    def note(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect.bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)


class Moment(NamedTuple):
    """On the monotonic clock, and in the CPU time that this process has taken; in seconds."""

    clock: float
    cpu: float

    @classmethod
    def now(cls) -> Moment:
        """Return this one."""
        return cls(time.monotonic(), time.process_time())


class Watchdog:
    """Watches the event loop of the thread that calls `start`; where gevent runs none it does nothing."""

    def __init__(self, stalls: Stalls) -> None:
        self._stalls = stalls
        self._woke = Moment.now()  # when the loop came back from waiting last
        self._asleep = False
        self._stopped = False

    def start(self) -> None:
        """Begin to watch; once, in the process that serves."""
        if "gevent" not in sys.modules:
            return
        # By name: gevent is the worker's business, and where it is not imported there is nothing to watch.
        hub = importlib.import_module("gevent").get_hub()
        original = importlib.import_module("gevent.monkey").get_original
        self._sleep = original("time", "sleep")
        self._ident = original("_thread", "get_ident")()
        self._waiting = type(hub).run.__code__  # what the loop's thread is in while it waits for events
        self._wake = original("_thread", "allocate_lock")()
        self._wake.acquire()
        self._check = hub.loop.check(ref=False)
        self._check.start(self._came_back)
        # Not one of `threading`'s: the end of the process would wait for it.
        original("_thread", "start_new_thread")(self._look, ())

    def stop(self) -> None:
        """Watch no longer; idempotent."""
        self._stopped = True

    def _came_back(self) -> None:
        self._woke = Moment.now()
        if self._asleep:
            self._asleep = False
            if self._wake.locked():  # it may have slept for long enough
                self._wake.release()

    def _look(self) -> None:
        while not self._stopped:
            woke, waits = self._woke, self._held() is None
            self._sleep(LOOK_SECONDS)
            if self._woke != woke:
                continue
            if self._held() is not None:
                if time.monotonic() - woke.clock >= STALL_SECONDS:
                    self._follow(woke)
            elif waits:
                # Twice, since it may have been between two pieces of work; and not without end, for the same reason.
                self._asleep = True
                if self._woke == woke:  # it has not come back in between, and will see that this thread sleeps
                    self._wake.acquire(True, SLEEP_SECONDS)  # noqa: FBT003 - it has no names for them
                self._asleep = False

    def _follow(self, woke: Moment) -> None:
        """Tell of a stall that began at `woke`: where it is now, and at its end how long it was."""
        frame = self._held()
        where, request_id = _places(frame), _request_id(frame)
        del frame
        while self._woke == woke and self._held() is not None and not self._stopped:
            self._sleep(LOOK_SECONDS / 4)
        now = Moment.now()
        seconds, cpu = now.clock - woke.clock, now.cpu - woke.cpu
        self._stalls.note(seconds)
        told = {"ms": int(seconds * 1000), "cpu_ms": int(cpu * 1000), "id": request_id, "at": where}
        log.warning(Line("the event loop stood still", told))

    def _held(self) -> FrameType | None:
        """Return what the loop's thread is at, None while it waits for events."""
        frame = sys._current_frames().get(self._ident)  # noqa: SLF001 - there is no other way to see it
        return None if frame is None or frame.f_code is self._waiting else frame


def _places(frame: FrameType | None) -> str:
    """Return the innermost places of a stack, the innermost first."""
    places: list[str] = []
    while frame is not None and len(places) < MAX_PLACES:
        file = "/".join(frame.f_code.co_filename.split("/")[-2:])
        places.append(f"{file}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return " < ".join(places)


def _request_id(frame: FrameType | None) -> str | None:
    while frame is not None:
        environ = frame.f_locals.get("environ")
        if isinstance(environ, dict) and REQUEST_ID in environ:
            return str(environ[REQUEST_ID])
        frame = frame.f_back
    return None
