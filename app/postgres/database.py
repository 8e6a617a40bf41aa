"""A PostgreSQL database: transactions for whoever asks, and a lifeline that tells whether it is there.

The lifeline is a connection that stands as long as the database does. It hears what other servers have changed, and it
holds a lock that the database lets go of when this server ends, however it ends. While it is down nobody waits.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from app.errors import ConfigError, DatabaseAway, DatabaseFailed
from app.postgres.guard import Guard
from app.postgres.schema import CHANNEL, NEWER, SCHEMA, bring_forward

log = logging.getLogger(__name__)

MAX_CONNECTIONS = 8
# How long a connection may take to be made, a statement to be done, a lock to be had, and all of a transaction, in
# seconds.
CONNECT_SECONDS, STATEMENT_SECONDS, LOCK_SECONDS, TRANSACTION_SECONDS = 3, 5, 4, 10
# A new version's tables may take their time.
MIGRATION_SECONDS = 600
# How long the first use waits for the first contact, in seconds.
CONTACT_SECONDS = 5.0
# How often a database that is away is looked for, and how often it is asked for a sign of life, in seconds.
RETRY_SECONDS, SIGN_SECONDS = 1.0, 5.0
LISTEN_SECONDS = 1.0
# How often a transaction that others got in the way of is tried.
MAX_TRIES = 5
# A server that crashed without a word is given up by the database after 10 + 3 * 5 seconds. As with sqlite, a power
# cut may cost the last transactions; what must last says so itself.
SESSION = f"""
SET search_path TO {SCHEMA}; SET statement_timeout TO '{STATEMENT_SECONDS}s'; SET lock_timeout TO '{LOCK_SECONDS}s';
SET idle_in_transaction_session_timeout TO '{STATEMENT_SECONDS}s'; SET synchronous_commit TO off;
SET tcp_keepalives_idle TO 10; SET tcp_keepalives_interval TO 5; SET tcp_keepalives_count TO 3
"""
# The same from this side.
KEEPALIVES = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "claude-max-api-proxy",
    "connect_timeout": CONNECT_SECONDS,
}
# What the database itself ends because it lasts too long, or waits too long for others.
SLOW = (
    psycopg.errors.QueryCanceled,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.IdleInTransactionSessionTimeout,
)
# A sign that ends the password too early has the rest of it taken for a host, a port or a name, which are told.
PORTS = re.compile(r"[0-9,]*")
ENCODED = "a password's `%`, `/`, `@`, `#`, `?` and `:` are written as `%25`, `%2F`, `%40`, `%23`, `%3F` and `%3A`"
MARK = re.compile(r"\?|(?<!:):([a-z_]+)")
T = TypeVar("T")


class Transaction:
    """A transaction; queries have the marks `?` and `:name`, as with sqlite."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def execute(self, query: str, given: Sequence[Any] | Mapping[str, Any] = (), /) -> Any:
        """Run one query; return its rows."""
        return self._connection.execute(_translated(query), given)

    def executemany(self, query: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one query for each row."""
        with self._connection.cursor() as cursor:
            cursor.executemany(_translated(query), list(rows))

    def tell(self, matter: str) -> None:
        """Tell all servers that a matter has changed, once this is done."""
        self._connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, matter))


class Postgres:
    """The database that a `postgresql://` URL names, looked for at its first use. Thread-safe.

    `heard(matter, work)` has `work` done with a connection at each contact, and whenever a server tells of the matter.
    """

    def __init__(self, url: str) -> None:
        """Raise ConfigError where the URL cannot be read."""
        try:
            self._given = conninfo_to_dict(url)
        except psycopg.ProgrammingError as error:
            # What comes after a quotation mark may be of the password.
            said = _sentence(error).partition('"')[0].rstrip(" :")
            raise ConfigError(f"CLAUDE_PROXY_DATABASE cannot be used: {said} ({ENCODED})") from None
        host, port, name = (str(self._given.get(part) or "") for part in ("host", "port", "dbname"))
        # A host that begins with @ is a socket.
        if "@" in host[1:] or "@" in name or not PORTS.fullmatch(port):
            raise ConfigError(f"CLAUDE_PROXY_DATABASE cannot be used: its host, port or name is none ({ENCODED})")
        self.where = _described(self._given)
        self._lock = threading.Lock()
        self._heard: dict[str, Callable[[Transaction], None]] = {}
        self._pid = 0
        self._closed = threading.Event()
        self._contact = threading.Event()  # it is known whether the database is there
        self._away: str | None = None  # why it cannot be used
        self._pool: ConnectionPool | None = None
        self._guard: Guard | None = None
        self._holder = 0

    @property
    def away(self) -> str | None:
        """Why the database cannot be used now, None where it can."""
        self._look()
        return self._away

    @property
    def holder(self) -> int:
        """The number of the lock that this server holds as long as it is in touch; another after each loss."""
        return self._holder

    def heard(self, matter: str, work: Callable[[Transaction], None]) -> None:
        """Have `work` done when a matter has changed, or may have."""
        self._heard[matter] = work

    def do(self, work: Callable[[Transaction], T], *, whole: bool = True) -> T:
        """Return what `work` does in one transaction, which others see as a whole or not at all.

        It may be done anew where others got in its way. Where it need not be `whole`, each of its statements is a
        transaction, which saves two ways to the database. Raises DatabaseAway, at once or after seconds, else
        DatabaseFailed.
        """
        self._look()
        for left in reversed(range(MAX_TRIES)):
            pool, guard = self._pool, self._guard
            if self._away is not None or pool is None or guard is None:
                raise DatabaseAway(f"The database {self.where} is away: {self._away}")
            try:
                with (
                    pool.connection(CONNECT_SECONDS) as connection,
                    guard.bounded(connection, TRANSACTION_SECONDS),
                    connection.transaction() if whole else contextlib.nullcontext(),
                ):
                    return work(Transaction(connection))
            except (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected) as error:
                if not left:
                    raise DatabaseFailed(_sentence(error)) from error
            except SLOW as error:
                raise DatabaseAway(f"The database {self.where} is there, but broke off: {_sentence(error)}") from error
            except (psycopg.Error, PoolTimeout, PoolClosed) as error:
                if _is_away(error):
                    raise DatabaseAway(f"The database {self.where} is away: {_sentence(error)}") from error
                raise DatabaseFailed(_sentence(error)) from error
        raise AssertionError

    def close(self) -> None:
        """Let go of all connections; idempotent."""
        self._closed.set()
        self._drop_pool()
        if self._guard is not None:
            self._guard.close()

    def _look(self) -> None:
        """Begin to look for the database, in this process; wait for what the first look finds."""
        if self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    self._contact, self._closed = threading.Event(), threading.Event()
                    self._guard, self._pool = Guard(), None
                    threading.Thread(target=self._hold, name="database", daemon=True).start()
                    self._pid = os.getpid()
        if not self._contact.is_set() and not self._contact.wait(CONTACT_SECONDS):
            with self._lock:
                if not self._contact.is_set():  # else it was found at the last moment
                    self._away = self._away or "it does not answer"

    def _hold(self) -> None:
        """Keep the lifeline, all the time."""
        while not self._closed.is_set():
            try:
                self._in_touch()
            except ConfigError as error:
                self._lost(str(error))
            except (psycopg.Error, OSError) as error:
                self._lost(_sentence(error))
            except Exception as error:
                log.exception("no database")
                self._lost(type(error).__name__)
            self._closed.wait(RETRY_SECONDS)

    def _in_touch(self) -> None:
        guard = self._guard
        assert guard is not None  # noqa: S101 - made before this thread
        with self._connected() as connection:
            with guard.bounded(connection, MIGRATION_SECONDS):
                bring_forward(connection)
            with guard.bounded(connection, TRANSACTION_SECONDS):
                # Not the number before: the database may not have noticed yet that its connection is dead.
                holder = secrets.randbits(62)
                connection.execute("SELECT pg_advisory_lock(%s)", (holder,))
                connection.execute(f"LISTEN {CHANNEL}")
                for work in list(self._heard.values()):
                    work(Transaction(connection))
            self._found(holder)
            sign = time.monotonic() + SIGN_SECONDS
            while not self._closed.is_set():
                # The first notice ends the wait: a revoked key is not to count until the time is over.
                notices = connection.notifies(timeout=LISTEN_SECONDS, stop_after=1)
                matters = {notice.payload for notice in notices}
                if not matters and time.monotonic() < sign:
                    continue
                sign = time.monotonic() + SIGN_SECONDS
                with guard.bounded(connection, STATEMENT_SECONDS):
                    if NEWER in matters:
                        bring_forward(connection)
                    for matter in matters & self._heard.keys():
                        self._heard[matter](Transaction(connection))
                    connection.execute("SELECT 1")

    @contextlib.contextmanager
    def _connected(self) -> Iterator[psycopg.Connection]:
        connection = psycopg.connect(self._conninfo(), autocommit=True)
        try:
            _set_up(connection)
            yield connection
        finally:
            connection.close()

    def _found(self, holder: int) -> None:
        with self._lock:
            if self._closed.is_set():
                return
            self._holder = holder
            self._pool = ConnectionPool(
                self._conninfo(),
                min_size=1,
                max_size=MAX_CONNECTIONS,
                open=True,
                timeout=CONNECT_SECONDS,
                reconnect_timeout=CONNECT_SECONDS,
                kwargs={"autocommit": True},
                configure=_set_up,
                check=self._check,
                name="database",
            )
            before, self._away = self._away, None
            self._contact.set()
        log.info("the database %s is %s", self.where, "there" if before is None else "back")

    def _lost(self, why: str) -> None:
        self._drop_pool()
        if self._away != why and not self._closed.is_set():
            log.error("the database %s is away: %s", self.where, why)
        self._away = why
        self._contact.set()

    def _drop_pool(self) -> None:
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close(timeout=CONNECT_SECONDS)

    def _check(self, connection: psycopg.Connection) -> None:
        guard = self._guard
        assert guard is not None  # noqa: S101 - the pool comes after it
        with guard.bounded(connection, STATEMENT_SECONDS):
            connection.execute("")

    def _conninfo(self) -> str:
        """Return where to connect to; names are looked up here, since libpq would hold up everybody meanwhile.

        Each address of a name is tried: a database may listen at one of them alone.
        """
        given: dict[str, Any] = {**KEEPALIVES, **self._given}
        names = str(given.get("host") or "")
        hosts, ports = names.split(","), str(given.get("port") or "").split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        # What does not fit together libpq says.
        if names and "hostaddr" not in given and "/" not in names and len(ports) == len(hosts):
            there = [
                (host, str(address), port)
                for host, port in zip(hosts, ports, strict=True)
                for address in dict.fromkeys(
                    told[4][0] for told in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
                )
            ]
            given["host"], given["hostaddr"], ports_there = (",".join(parts) for parts in zip(*there, strict=True))
            if "port" in given:
                given["port"] = ports_there
        return make_conninfo("", **given)


def _set_up(connection: psycopg.Connection) -> None:
    connection.execute(SESSION)


@functools.cache
def _translated(query: str) -> Any:
    return MARK.sub(lambda mark: "%s" if mark[0] == "?" else f"%({mark[1]})s", query)


def _is_away(error: Exception) -> bool:
    """Tell whether it is the database that cannot be used, not what was asked of it."""
    if isinstance(error, psycopg.errors.DiskFull | psycopg.errors.OutOfMemory):
        return False
    return isinstance(
        error,
        PoolTimeout
        | PoolClosed
        | psycopg.OperationalError
        | psycopg.InterfaceError
        | psycopg.errors.ReadOnlySqlTransaction,
    )


def _sentence(error: BaseException) -> str:
    """Return the first line of what was said; it has no password."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _described(given: Mapping[str, Any]) -> str:
    host, port = given.get("host") or "localhost", given.get("port") or 5432
    return f"{given.get('dbname') or ''} at {host}:{port}"
