"""API keys in PostgreSQL: every server knows them all, and hears of a change at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from app.errors import ConfigError, DatabaseFailed, StorageUnavailable
from app.keys.key import Key
from app.keys.store import new, taken, unknown
from app.keys.terms import NO_TERMS, Terms
from app.postgres.database import Postgres, Transaction

MATTER = "keys"
RETRY_AFTER_SECONDS = 5
# The keys that count: one that was revoked stays in the table, so that it is known that there have been keys.
READ = "SELECT name, sha256, created, terms FROM keys WHERE revoked IS NULL ORDER BY number"
T = TypeVar("T")


class PostgresKeys:
    """The keys of a database, as they were when they were last heard of; reading them asks nobody. Thread-safe.

    While the database is away they are what they were then.
    """

    file = False

    def __init__(self, database: Postgres) -> None:
        self._database = database
        self._kept: tuple[Key, ...] | None = None
        self._version = 0  # 0 until they are known
        database.heard(MATTER, self._hear)

    @property
    def where(self) -> str:
        """Where the keys are, for people."""
        return f"the database {self._database.where}"

    def signature(self) -> Hashable:
        """Return what changes when the keys may have changed, or whether they can be relied on."""
        away = self._database.away
        return self._version, away

    def read(self) -> tuple[Key, ...] | None:
        """Return the keys, or None if there have never been any. Raises StorageUnavailable while that is not known."""
        away = self._database.away
        if away is not None:
            raise StorageUnavailable(
                f"The database {self._database.where}, which has the API keys, is away: {away}. Keys that were known "
                "before still count.",
                retry_after=RETRY_AFTER_SECONDS,
            )
        return self._kept

    def add(self, name: str, terms: Terms = NO_TERMS) -> str:
        """Add a key with these terms and return its secret, which is kept nowhere. Raises ConfigError."""
        key, secret = new(name, terms)
        if not self.take_over(key):
            raise taken(name)
        return secret

    def take_over(self, key: Key) -> bool:
        """Add a key whose secret is known elsewhere; return False where its name is taken or it was revoked here.

        Raises ConfigError.
        """
        insert = "INSERT INTO keys (name, sha256, created, terms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        row = (key.name, key.digest, key.created or "", msgspec.json.encode(key.terms).decode())
        return self._change(lambda db: bool(db.execute(insert, row).rowcount))

    def change(self, name: str, changed: Mapping[str, Any]) -> Terms:
        """Change some of a key's terms and return them all. Raises ConfigError."""

        def write(db: Transaction) -> Terms:
            this = "WHERE name = ? AND revoked IS NULL"
            row = db.execute(f"SELECT terms FROM keys {this} FOR UPDATE", (name,)).fetchone()
            if row is None:
                raise unknown(name, self.where)
            terms = msgspec.structs.replace(msgspec.json.decode(row[0], type=Terms), **changed)
            db.execute(f"UPDATE keys SET terms = ? {this}", (msgspec.json.encode(terms).decode(), name))
            return terms

        return self._change(write)

    def revoke(self, name: str) -> int:
        """End the key of this name; return how many are left. Raises ConfigError."""

        def write(db: Transaction) -> int:
            end = "UPDATE keys SET revoked = now() WHERE name = ? AND revoked IS NULL"
            if not db.execute(end, (name,)).rowcount:
                raise unknown(name, self.where)
            return len(db.execute(READ).fetchall())

        return self._change(write)

    def _change(self, work: Callable[[Transaction], T]) -> T:
        def write(db: Transaction) -> T:
            db.execute("SET LOCAL synchronous_commit TO on")
            done = work(db)
            db.tell(MATTER)
            return done

        with self._in_words():
            return self._database.do(write)

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except DatabaseFailed as error:
            raise ConfigError(f"the API keys cannot be changed: {error}") from None

    def _hear(self, db: Transaction) -> None:
        rows = db.execute(READ).fetchall()
        (any_ever,) = db.execute("SELECT EXISTS (SELECT FROM keys)").fetchone() or (False,)
        keys = tuple(
            Key(name, bytes(sha256), created or None, msgspec.json.decode(terms, type=Terms))
            for name, sha256, created, terms in rows
        )
        self._kept = keys if any_ever else None
        self._version += 1
