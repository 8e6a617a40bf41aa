"""The ledger: each turn that has ended, written beside the requests' way, and what each key has spent."""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from app.backend import Correction
from app.errors import DatabaseFailed
from app.ledger import entry
from app.ledger.entry import Entry, Spent
from app.ledger.store import LedgerStore, Mark
from app.ledger.sums import SPAN_SECONDS, Sums
from app.ledger.windows import logins_of
from app.records.record import RequestSummary

log = logging.getLogger(__name__)

# What comes within this time is written together, in seconds.
GATHER_SECONDS = 0.05
# How often it is looked whether others have written, and tried again to write, in seconds.
LOOK_SECONDS = 1.0
# So many turns wait to be written; where nothing can be, the oldest are given up.
MAX_WAITING = 10_000
MAX_BATCH = 500
# What is too old goes once in so many seconds, so many rows at a time.
TIDY_SECONDS = 3600.0
MAX_REMOVED = 500
TIDY_PAUSE_SECONDS = 0.02
DAY_SECONDS = 86400
T = TypeVar("T")


class Ledger:
    """Takes entries, adds them up and keeps them in a store that others write to as well. Thread-safe.

    Rows are kept for `row_days`, and for SPAN_SECONDS at least, sums by day for `day_days`. `login` tells which login
    pays, empty where that is not known. `failed` is called where the store cannot be used, and `lost` is told how many
    entries are given up where it stays so. Nothing here delays or fails whoever tells it of a turn.
    """

    def __init__(
        self,
        store: LedgerStore,
        row_days: int,
        day_days: int,
        *,
        login: Callable[[], str] = str,
        failed: Callable[[], object] = lambda: None,
        lost: Callable[[int], object] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._login = login
        # What a key has used of its week is read from the rows at the next start.
        self._row_seconds = max(row_days * DAY_SECONDS, SPAN_SECONDS)
        self._day_seconds = day_days * DAY_SECONDS
        self._failed, self._lost = failed, lost
        self._clock = clock
        self._writer = store.writer()
        self._sums = Sums()
        self._places = itertools.count(1)
        self._waiting: collections.deque[tuple[int, Entry]] = collections.deque()
        self._writing = threading.Lock()
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._mark = Mark()  # up to where it was read what others have written
        self._look_at = 0.0  # in monotonic seconds
        self._tidied = 0.0  # in monotonic seconds
        self._failing = False
        self._version = 0

    @property
    def version(self) -> int:
        """A number that changes with what is in the ledger."""
        return self._version

    def open(self) -> None:
        """Read what was spent lately, and begin to write; after any fork. It does not fail."""
        self._look()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
            self._thread.start()

    def observe(self, summary: RequestSummary) -> None:
        """Take a request that has ended; only turns count."""
        if summary.turn:
            self.note(entry.of(summary, self._login()))

    def amend(self, summary: RequestSummary, more: Correction) -> None:
        """Take what was found out about a request that had ended."""
        self.note(entry.correcting(summary, more, self._login()))

    def note(self, noted: Entry) -> None:
        """Take an entry; it counts at once, and is in the store a tenth of a second later."""
        self._sums.add(noted.owner, noted.at, noted.spent, noted.login)
        self._version += 1
        self._waiting.append((next(self._places), noted))
        self._wake.set()

    def spent(self, owner: str | None, since: float, logins: Iterable[str] | None = None) -> Spent:
        """Return what an owner, None for all together, has spent since a moment of the last eight days (unix seconds).

        `owner` is the identity of an API key, empty without keys; where `logins` are given it is what went through
        these alone. It costs no time. What others have written is in it after at most a second.
        """
        return self._sums.since(owner, since, logins)

    def spent_by_login(self, owner: str | None, since: float) -> Spent:
        """Return the same of what was spent through the login that pays now, or through one that is not known."""
        return self.spent(owner, since, logins_of(self._login()))

    def read(self, work: Callable[[LedgerStore], T]) -> T:
        """Return what `work` reads from the store, all entries up to now included. Raises DatabaseFailed."""
        self._write()
        return work(self._store)

    def close(self) -> None:
        """Write what is left and close the store; idempotent."""
        self._closed.set()
        self._wake.set()
        self._write()
        self._store.close()

    def _work(self) -> None:
        while not self._closed.is_set():
            if self._wake.wait(LOOK_SECONDS):
                self._closed.wait(GATHER_SECONDS)
                self._wake.clear()
            try:
                self._keep_up()
                self._tidy()
            except Exception:
                log.exception("usage not kept")  # never the end of the thread

    def _keep_up(self) -> None:
        """Write what waits, and now and then read what others have written."""
        self._write()
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_SECONDS
            self._look()

    def _write(self) -> None:
        """Write what waits; where that fails it waits on, and is tried again later."""
        with self._writing:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
                written = None
                try:
                    written = self._try(functools.partial(self._written, batch))
                finally:
                    if not written:
                        self._put_back(batch)
                if not written:
                    return

    def _written(self, batch: Sequence[tuple[int, Entry]]) -> bool:
        self._store.write(self._writer, batch)
        return True

    def _put_back(self, batch: Sequence[tuple[int, Entry]]) -> None:
        self._waiting.extendleft(reversed(batch))
        given_up = 0
        while len(self._waiting) > MAX_WAITING:
            with contextlib.suppress(IndexError):
                self._waiting.popleft()
                given_up += 1
        if given_up:
            self._lost(given_up)

    def _look(self) -> None:
        """Count what others have written since the last look, or at first all of the last days."""
        while found := self._try(lambda: self._store.news(self._mark, self._writer, self._clock() - SPAN_SECONDS)):
            news, mark = found
            self._sums.add_all(news)
            self._version += bool(news)
            if mark == self._mark:
                return
            self._mark = mark

    def _tidy(self) -> None:
        now = time.monotonic()
        if self._tidied and now - self._tidied < TIDY_SECONDS:
            return
        self._tidied = now
        rows_before, days_before = self._clock() - self._row_seconds, self._clock() - self._day_seconds
        first = self._try(lambda: self._store.first_kept(rows_before))
        removed = 0
        while first is not None and not self._closed.is_set():
            gone = self._try(functools.partial(self._store.expire, first, days_before, MAX_REMOVED))
            if not gone:
                break
            removed += gone
            time.sleep(TIDY_PAUSE_SECONDS)
            self._keep_up()  # there may be a thousand rounds
        if removed:
            self._store.wipe()
            self._version += 1

    def _try(self, work: Callable[[], T]) -> T | None:
        """Return what `work` does, or None where the store fails, which is said once."""
        try:
            done = work()
        except DatabaseFailed as error:
            self._failed()
            if error.aside is not None:
                log.error("usage begins anew: %s; the damaged file is %s", error, error.aside)  # noqa: TRY400
            elif not self._failing:
                log.error("usage cannot be kept in=%s error=%s", self._store.where, error)  # noqa: TRY400 - it says it all
            self._failing = error.aside is None
            return None
        if self._failing:
            self._failing = False
            log.info("usage is kept again")
        return done
