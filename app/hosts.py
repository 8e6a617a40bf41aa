"""The hosts that share a database: each tells there how it is, every few seconds, and sees the others.

None asks another. Nothing here delays or fails a request, and a database that is away is no error.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from app.address import written
from app.backend import Window
from app.errors import DatabaseAway, DatabaseFailed

if TYPE_CHECKING:
    from app.postgres.database import Postgres, Transaction

log = logging.getLogger(__name__)

# How often a server tells how it is, and after how long without a word it counts as gone, in seconds.
SIGN_SECONDS, GONE_SECONDS = 5.0, 20.0
# For how long it is shown as gone, in seconds.
SHOWN_SECONDS = 86400.0


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker of a server tells of itself.

    `name` and `port` are its machine's and its own, `worker` is a process id: each worker of a server tells for itself.
    `cli` is the version of Claude Code, `reason` why it is not ready, None where it is. `running` and `queued` count
    turns, `shelf` the processes that wait. `login` is the digest of its login, where that is known. It runs `since`
    a moment of its own clock (unix seconds); `stopped` is its last word.
    """

    name: str
    port: int
    worker: int
    version: str
    cli: str | None = None
    reason: str | None = None
    running: int = 0
    queued: int = 0
    shelf: int = 0
    plan: str | None = None
    windows: Mapping[str, Window] = {}
    login: str | None = None
    since: float = 0.0
    stopped: bool = False


class Seen(NamedTuple):
    """A host, when it was seen last by the database's clock (unix seconds), and how many seconds ago that is."""

    host: Host
    at: float
    ago: float

    @property
    def gone(self) -> bool:
        """Whether it is not there any longer."""
        return self.host.stopped or self.ago > GONE_SECONDS

    @property
    def state(self) -> str:
        """How it is, in a word or two."""
        if self.gone:
            return "stopped" if self.host.stopped else "gone"
        return "ready" if self.host.reason is None else "not ready"

    def told(self) -> dict[str, Any]:
        """Return all of it, for programs."""
        return {**msgspec.to_builtins(self.host), "state": self.state, "seen_at": round(self.at, 1)}


class Sight(NamedTuple):
    """All hosts, as the database had them at a moment of this machine's clock (unix seconds)."""

    hosts: tuple[Seen, ...]
    at: float

    @property
    def several(self) -> bool:
        """Whether there is more than one host, however many workers each has."""
        return len({(seen.host.name, seen.host.port) for seen in self.hosts}) > 1

    @property
    def old(self) -> bool:
        """Whether the database has not been heard of for a while."""
        return time.time() - self.at > GONE_SECONDS


class Presence:
    """Tells the database how this server is, and keeps what that knows of all hosts. Thread-safe."""

    def __init__(self, database: Postgres | None) -> None:
        """Without a database it does nothing."""
        self._database = database
        self._own: Callable[[], Host] | None = None
        self._closed = threading.Event()
        self._telling = threading.Lock()
        self._last: Host | None = None
        self._failing = False
        self.sight: Sight | None = None  # none before the first, or without a database

    def tell_of(self, own: Callable[[], Host]) -> None:
        """Tell of the server that `own` describes, at each moment anew."""
        self._own = own

    def open(self) -> None:
        """Begin; after any fork."""
        if self._database is not None and self._own is not None:
            threading.Thread(target=self._work, args=(self._own,), name="hosts", daemon=True).start()

    def close(self) -> None:
        """Tell of the end, if the database is there; idempotent."""
        if self._closed.is_set():
            return
        self._closed.set()
        with self._telling:
            if self._last is not None:
                self._tell(msgspec.structs.replace(self._last, running=0, queued=0, shelf=0, stopped=True))

    def _work(self, own: Callable[[], Host]) -> None:
        while not self._closed.is_set():
            try:
                self._last = host = own()
                with self._telling:
                    if not self._closed.is_set():
                        self._tell(host)
            except Exception:
                log.exception("not told to the other hosts")  # never the end of the thread
            self._closed.wait(SIGN_SECONDS)

    def _tell(self, host: Host) -> None:
        def work(db: Transaction) -> tuple[Seen, ...]:
            tell(db, host)
            return look(db)

        assert self._database is not None  # noqa: S101 - nobody comes here without
        try:
            self.sight = Sight(self._database.do(work), time.time())
            self._failing = False
        except DatabaseAway:
            pass  # its own thread says so
        except DatabaseFailed as error:
            if not self._failing:
                log.warning("not told to the other hosts: %s", error)
            self._failing = True


def named(hosts: Sequence[Seen]) -> list[tuple[str, Seen]]:
    """Return each host with its name for people: the worker is told where a server has several."""
    places = [written(seen.host.name, seen.host.port) for seen in hosts]
    return [
        (place if places.count(place) == 1 else f"{place} worker {seen.host.worker}", seen)
        for place, seen in zip(places, hosts, strict=True)
    ]


def tell(db: Transaction, host: Host) -> None:
    """Keep what a host tells of itself; drop its earlier runs, and hosts that have long been gone."""
    db.execute(
        "DELETE FROM hosts WHERE seen < now() - make_interval(secs => :shown)"
        " OR (name = :name AND port = :port AND (stopped OR seen < now() - make_interval(secs => :gone)))",
        {"shown": SHOWN_SECONDS, "gone": GONE_SECONDS, "name": host.name, "port": host.port},
    )
    row = (host.name, host.port, host.worker, host.stopped, msgspec.json.encode(host).decode())
    db.execute(
        "INSERT INTO hosts (name, port, worker, seen, stopped, told) VALUES (?, ?, ?, now(), ?, ?)"
        " ON CONFLICT (name, port, worker) DO UPDATE"
        " SET seen = excluded.seen, stopped = excluded.stopped, told = excluded.told",
        row,
    )


def look(db: Transaction) -> tuple[Seen, ...]:
    """Return all hosts that were seen lately."""
    rows = db.execute(
        "SELECT told, extract(epoch from seen)::float8, extract(epoch from now() - seen)::float8 FROM hosts"
        " WHERE seen > now() - make_interval(secs => ?) ORDER BY name, port, worker",
        (SHOWN_SECONDS,),
    )
    found = []
    for told, at, ago in rows.fetchall():
        with contextlib.suppress(msgspec.DecodeError):  # a newer server may tell what this one does not understand
            found.append(Seen(msgspec.json.decode(told, type=Host), at, ago))
    return tuple(found)
