"""Sessions in PostgreSQL, shared by the servers of several machines; times are the database's."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from app.conversation import Message
from app.errors import DatabaseAway, DatabaseFailed, SessionStorageFailed, StorageUnavailable
from app.postgres.database import Postgres
from app.postgres.database import Transaction as PostgresTransaction
from app.sessions.sql import SqlStore, Transaction
from app.sessions.store import Session, SessionName

log = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5
NOW = "extract(epoch FROM clock_timestamp())::float8"
TREE = "hashtextextended('tree ' || ?, 0)"
T = TypeVar("T")


class PostgresStore(SqlStore):
    """A SessionStore in a database, each session for `seconds` after its last use. Thread-safe.

    A ticket counts as long as the database is in touch with the server that has drawn it, which holds a lock there.
    Locks are the database's own: they end with the connection, whatever becomes of the machine. A lease would have to
    be renewed, and every pause longer than it would look like a death.
    """

    def __init__(self, database: Postgres, seconds: float) -> None:
        super().__init__(seconds)
        self._database = database

    def join(self, name: SessionName) -> int:
        """Queue up for a session's next turn; return a ticket."""
        # One after the other, so that whoever has a smaller number is seen by those with a larger one.
        insert = (
            f"WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock({TREE})) "
            "INSERT INTO queue (owner, id, holder) SELECT ?, ?, ? FROM held RETURNING ticket"
        )

        def draw(db: PostgresTransaction) -> int:
            # The holder is known only here, where the database is in touch.
            row = (name.owner, name.owner, self._text(name.id), self._database.holder)
            return int(db.execute(insert, row).fetchone()[0])

        return self._do(draw, whole=False)

    def is_first(self, ticket: int) -> bool:
        """Tell whether it is this ticket's turn. Tickets of servers that are gone are taken away."""
        self._leave_owed()

        def look(db: PostgresTransaction) -> bool:
            mine = "SELECT first.ticket, first.holder FROM queue AS mine JOIN queue AS first USING (owner, id) "
            rows = db.execute(mine + "WHERE mine.ticket = ? ORDER BY first.ticket", (ticket,))
            for first, holder in rows.fetchall():
                if first == ticket:
                    return True
                if holder == self._database.holder or not _is_gone(db, holder):
                    return False
                db.execute("DELETE FROM queue WHERE ticket = ?", (first,))
            return True  # nobody is left to wait for, not even oneself

        return self._do(look, whole=False)

    def _give_back(self, ticket: int) -> None:
        self._do(lambda db: db.execute("DELETE FROM queue WHERE ticket = ?", (ticket,)), whole=False)

    def load(self, name: SessionName) -> Session | None:
        """Return a session that has not expired, and note that it was used: one way to the database and back."""
        given = (name.owner, self._text(name.id), self._seconds)

        def read(db: PostgresTransaction) -> Session | None:
            row = db.execute("SELECT * FROM use_session(?, ?, ?)", given).fetchone()
            if row is None:
                return None
            system, revision, created, used, said = row
            messages = tuple(msgspec.json.decode(one, type=Message) for one in said)
            return Session(name, self._told(system), messages, revision, created, used)

        return self._do(read, whole=False)

    def close(self) -> None:
        """Let go of the database; idempotent."""
        self._database.close()

    def _do(self, work: Callable[[Any], T], *, whole: bool = True) -> T:
        """Return what `work` does in one transaction. Raises SessionStorageFailed."""
        try:
            return self._database.do(work, whole=whole)
        except DatabaseAway as error:
            raise StorageUnavailable(
                f"{error}. Requests without a session are answered.", retry_after=RETRY_AFTER_SECONDS
            ) from error
        except (DatabaseFailed, msgspec.DecodeError) as error:
            log.error("sessions failed error=%s", error)  # noqa: TRY400 - it says it all
            raise SessionStorageFailed(f"The session could not be read or saved: {error}.") from error

    def _begin(self, db: Transaction, owner: str) -> float:
        # What is locked here is seen as the one before has left it: each statement sees what is committed by then.
        row = db.execute(f"SELECT pg_advisory_xact_lock({TREE}), {NOW}", (owner,)).fetchone()
        return float(row[1])

    def _take_too(self, db: Transaction, owner: str) -> bool:
        return bool(db.execute(f"SELECT pg_try_advisory_xact_lock({TREE})", (owner,)).fetchone()[0])

    def _drop(self, db: Transaction, this: tuple[str, Any]) -> bool:
        return bool(db.execute("SELECT forget(?, ?)", this).fetchone()[0])

    def _text(self, text: str) -> bytes:
        return text.encode()  # PostgreSQL's own text has no U+0000

    def _told(self, held: bytes) -> str:
        return held.decode()


def _is_gone(db: PostgresTransaction, holder: int) -> bool:
    """Tell whether nobody holds that lock; several may look at the same time."""
    row = db.execute("SELECT pg_try_advisory_xact_lock_shared(?)", (holder,)).fetchone()
    return bool(row[0])
