"""What was seen of a plan's windows, by the login they belong to: kept for the next start and for other servers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from app import private_file
from app.backend import WINDOW_SECONDS, Backend, Window
from app.errors import DatabaseAway, DatabaseFailed
from app.ledger.entry import Spent

log = logging.getLogger(__name__)

FILE = "shares.json"
# How often it is looked whether something has changed, in seconds.
LOOK_SECONDS = 2.0
# Two times of reset that are no further apart, in seconds, are one.
SAME_SECONDS = 60.0
# When a figure that stays was seen last is kept as exactly as this, in seconds.
FRESH_SECONDS = 60.0


class Place(NamedTuple):
    """A window of a login's, by the login's digest and its own name."""

    login: str
    name: str


class Seen(msgspec.Struct, frozen=True):
    """A window's figure when it was seen last, and when it was first seen: in per cent, with what was spent by then.

    `first_dollars` is what went through the login in the window. Times are in unix seconds.
    """

    resets_at: float
    percent: float
    first_percent: float
    first_dollars: float
    seen_at: float = 0.0

    def same(self, other: Seen) -> bool:
        """Tell whether the other is of the same window, not of one before or after it."""
        return abs(self.resets_at - other.resets_at) <= SAME_SECONDS

    def joined(self, other: Seen) -> Seen:
        """Return what both know together: the latest figure, and the first of the same window."""
        last = max(self, other, key=lambda seen: (seen.seen_at, seen.percent))
        if not self.same(other):
            return last
        first = min(self, other, key=lambda seen: seen.first_percent)
        return msgspec.structs.replace(last, first_percent=first.first_percent, first_dollars=first.first_dollars)


class WindowStore(Protocol):
    """Where windows are kept."""

    def merge(self, seen: Mapping[Place, Seen]) -> dict[Place, Seen]:
        """Add what was seen to what is there, and return all of it. Raises DatabaseFailed."""


class FileWindows:
    """A WindowStore in a file that the workers of one machine share; a damaged one is as none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def merge(self, seen: Mapping[Place, Seen]) -> dict[Place, Seen]:
        """Add what was seen to what is there, and return all of it. Raises DatabaseFailed."""
        if not seen:
            return self._read()
        with private_file.locked(self._path):
            before = self._read()
            merged = merged_windows(before, seen)
            if merged != before:
                told = {f"{name} {login}".rstrip(): one for (login, name), one in merged.items()}
                try:
                    private_file.replace(self._path, msgspec.json.encode(told))
                except OSError as error:
                    raise DatabaseFailed(f"{self._path} cannot be written: {error}") from error
        return merged

    def _read(self) -> dict[Place, Seen]:
        try:
            told = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Seen])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            log.warning("%s cannot be read: %s", self._path, error)
            return {}
        return {Place(text.partition(" ")[2], text.partition(" ")[0]): one for text, one in told.items()}


class Windows:
    """What was seen of the windows of the login that pays: in memory at once, in a store moments later. Thread-safe.

    `spent` tells what everybody, by None, has spent since a moment through logins; `login` tells which login pays,
    empty where that is not known.
    """

    def __init__(
        self,
        backend: Backend,
        spent: Callable[..., Spent],
        store: WindowStore | None = None,
        login: Callable[[], str] = str,
    ) -> None:
        self._backend = backend
        self._spent = spent
        self._store = store
        self._login = login
        self._lock = threading.Lock()
        self._seen: dict[Place, Seen] = {}
        self._changed: set[Place] = set()
        self._read = False
        self._remembered: str | None = None  # the login whose windows the backend was told
        self._failing = False
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def login(self) -> str:
        """Which login pays, empty where that is not known."""
        return self._login()

    @property
    def known(self) -> dict[Place, Seen]:
        """All that is known now, of whatever login."""
        return dict(self._seen)

    def note(self, name: str, window: Window) -> Seen:
        """Take over a window whose figures are known, of the login that pays; return what is known of it."""
        place = Place(self._login(), name)
        now = Seen(window.resets_at or 0.0, window.used_percent or 0.0, window.used_percent or 0.0, 0.0, window.seen_at)
        with self._lock:
            before = self._before(place)
            if before is None or not before.same(now) or now.percent < before.first_percent:
                seen = msgspec.structs.replace(now, first_dollars=self._spent_in(place, now.resets_at))
            else:
                first = {"first_percent": before.first_percent, "first_dollars": before.first_dollars}
                seen = msgspec.structs.replace(now, **first)
                if now.percent == before.percent and now.seen_at - before.seen_at < FRESH_SECONDS:
                    seen = msgspec.structs.replace(seen, seen_at=before.seen_at)
            if seen != self._seen.get(place):
                self._seen[place] = seen
                self._changed.add(place)
        return seen

    def open(self) -> None:
        """Read what was kept, and begin to keep; after any fork. It does not fail."""
        self.keep()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="windows", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Keep what is known now; idempotent."""
        self._closed.set()
        self.keep()

    def keep(self) -> None:
        """Bring memory and store together, where something has changed; where that fails, it is tried again later."""
        for name, window in self._backend.windows.items():
            if window.used_percent is not None and window.resets_at is not None:
                self.note(name, window)
        with self._lock:
            changed = {place: self._seen[place] for place in self._changed}
        if self._store is not None and (changed or not self._read):
            try:
                there = self._store.merge(changed)
            except DatabaseFailed as error:
                if not self._failing and not isinstance(error, DatabaseAway):
                    log.warning("windows of the plan are not kept: %s", error)
                self._failing = True
                return
            with self._lock:
                # What was noted meanwhile is written next.
                self._changed -= {place for place, seen in changed.items() if self._seen[place] == seen}
                self._seen = merged_windows(self._seen, there)
                self._read, self._failing = True, False
        self._remind()

    def _remind(self) -> None:
        """Tell the backend what was known of its login's windows before it began, once that login is known."""
        login = self._backend.login
        if login is not None and login != self._remembered:
            self._remembered = login
            self._backend.remember(
                {
                    place.name: Window(seen.percent, seen.resets_at, None, seen.seen_at)
                    for place, seen in self.known.items()
                    if place.login == login
                }
            )

    def _work(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            try:
                self.keep()
            except Exception:
                log.exception("windows of the plan not kept")  # never the end of the thread

    def _before(self, place: Place) -> Seen | None:
        if found := self._seen.get(place) or self._seen.get(Place("", place.name)):
            return found
        # Which login it is may not be known yet.
        others = [seen for other, seen in self._seen.items() if not place.login and other.name == place.name]
        return max(others, key=lambda seen: seen.seen_at, default=None)

    def _spent_in(self, place: Place, resets_at: float) -> float:
        seconds = WINDOW_SECONDS.get(place.name)
        return 0.0 if seconds is None else self._spent(None, resets_at - seconds, logins_of(place.login)).dollars


def merged_windows(one: Mapping[Place, Seen], other: Mapping[Place, Seen]) -> dict[Place, Seen]:
    """Return what both know together."""
    both = {place: one[place].joined(other[place]) for place in one.keys() & other.keys()}
    return {**one, **other, **both}


def logins_of(login: str) -> tuple[str, ...] | None:
    """Return the logins whose use counts for a login: with it that of which it is not known; all where it is not."""
    return (login, "") if login else None
