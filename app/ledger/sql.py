"""The ledger in tables, whatever the database: what `sqlite` and `postgres` have in common."""

from __future__ import annotations

import abc
import collections
import secrets
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol, TypeVar

from app.errors import ClientGone
from app.ledger.entry import Entry, Spent, day_of
from app.ledger.report import Since, Sum
from app.ledger.store import Mark, News
from app.records.figures import Point

COLUMNS = Entry.__struct_fields__
COUNTS = ("requests", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "dollars", "unpriced")
SUMMED = (
    "requests",
    "failed",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "dollars",
    "unpriced",
)
DAY_COLUMNS = ("day", "owner", "client", "model", "key", *SUMMED)
# What one may sum by, and how it is told apart: two keys of one name, one after the other, are two.
GROUPS = {"key": "owner", "model": "model", "day": "day", "client": "client"}
# Programs name themselves: beyond so many names, the others of a day are one.
MAX_CLIENTS = 100
OTHER = "other"
FAILED = f"CASE WHEN requests != 0 AND code NOT IN ('', '{ClientGone.code}') THEN 1 ELSE 0 END"
T = TypeVar("T")


class Transaction(Protocol):
    """What sqlite's connection and our own for PostgreSQL can both do; a query's marks are `?` and `:name`."""

    def execute(self, query: str, given: Any = (), /) -> Any:
        """Run one query; return its rows, as both have them."""


class SqlLedger(abc.ABC):
    """A LedgerStore in the tables `turns` and `days`. Thread-safe.

    Of a turn, `DAY` is the day on which it ended and `MOMENT` the second, or the minute if that is long enough ago.
    `DAYS` names the columns that tell the days' sums apart, `OURS` holds for the turns of this `host`.
    `MOST` turns are kept, whatever their age.
    """

    DAY: ClassVar[str]
    MOMENT: ClassVar[str]
    DAYS: ClassVar[str] = "day, owner, client, model"
    OURS: ClassVar[str] = "1 = 1"
    MOST: ClassVar[int] = 500_000  # a row takes about 300 bytes
    host = ""

    @abc.abstractmethod
    def _do(self, work: Callable[[Any], T]) -> T:
        """Return what `work` does in one transaction. Raises DatabaseFailed."""

    @abc.abstractmethod
    def _last(self, db: Any) -> Mark:
        """Return the mark of the last entry that was written."""

    def writer(self) -> str:
        """Return a name that no other writer has."""
        return f"{self.host} {secrets.token_hex(8)}"

    def sums(self, by: str, begin: Since, owner: str | None = None) -> list[Sum]:
        """Return the sums of each key, model, day or client that there is, of one `owner`'s turns or of all."""
        group = GROUPS[by]
        name = {"key": "max(key)", "day": "day"}.get(by, group)
        order = "1" if by == "day" else "sum(dollars) DESC, sum(requests) DESC, 1"
        whose = "1 = 1" if owner is None else "owner = :owner"
        given = {"owner": owner, "day": begin.day, "at": begin.at}
        if begin.day is not None:
            table, when = "days", "day >= :day"
        else:
            counts = ", ".join(COUNTS)
            turns = f"SELECT owner, key, model, client, at, {FAILED} AS failed, {self.DAY} AS day, {counts} FROM turns"
            table, when = f"({turns}) AS ended", "at >= :at"
        query = (
            f"SELECT {name}, {_summed(SUMMED)} FROM {table} WHERE {when} AND {whose} GROUP BY {group} ORDER BY {order}"
        )
        return self._do(lambda db: [Sum(str(row[0]), *row[1:]) for row in db.execute(query, given)])

    def latest(self, since: float, most: int) -> list[Point]:
        """Return at most so many of this host's turns that ended since then, the last ones, the last of them first."""
        query = f"""
            SELECT at, owner, {FAILED}, ttft_ms, input_tokens + cache_write_tokens, cache_read_tokens, output_tokens
            FROM turns WHERE at >= :since AND requests != 0 AND {self.OURS} ORDER BY at DESC LIMIT :most"""
        given = {"since": since, "most": most, "host": f"{self.host} "}
        rows = self._do(lambda db: db.execute(query, given).fetchall())
        return [
            Point(at=at, owner=owner, failed=bool(failed), ttft_ms=ttft_ms, fresh=fresh, cached=cached, output=output)
            for at, owner, failed, ttft_ms, fresh, cached, output in rows
        ]

    def first_kept(self, rows_before: float) -> tuple[float, int]:
        """Return when the first turn ended that is to be kept, and its number: none before then, so many at most."""

        def find(db: Transaction) -> tuple[float, int]:
            # Counting a million takes its time: not where their numbers tell that there are fewer.
            span = "SELECT (SELECT max(number) FROM turns) - (SELECT min(number) FROM turns)"
            count = (db.execute(span).fetchone()[0] or 0) + 1
            if count > self.MOST:
                (count,) = db.execute("SELECT count(*) FROM turns").fetchone()
            # By their time, not by their numbers: what is copied here gets new ones, however old it is.
            first = "SELECT at, number FROM turns ORDER BY at, number LIMIT 1 OFFSET ?"
            row = db.execute(first, (count - self.MOST,)).fetchone() if count > self.MOST else None
            return max((rows_before, 0), (0.0, 0) if row is None else (float(row[0]), int(row[1])))

        return self._do(find)

    def expire(self, first: tuple[float, int], days_before: float, most: int) -> int:
        """Remove at most so many turns before the `first` that is kept, and of older days; return how many are gone."""

        def remove(db: Transaction) -> int:
            old = "SELECT number FROM turns WHERE (at, number) < (?, ?) ORDER BY at, number LIMIT ?"
            gone = db.execute(f"DELETE FROM turns WHERE number IN ({old})", (*first, most)).rowcount
            old = f"SELECT {self.DAYS} FROM days WHERE day < ? ORDER BY day LIMIT ?"
            delete = f"DELETE FROM days WHERE ({self.DAYS}) IN ({old})"
            return int(gone + db.execute(delete, (day_of(days_before), most)).rowcount)

        return self._do(remove)

    def _read_news(self, db: Transaction, after: int, last: int, but: str, since: float) -> list[News]:
        query = f"""
            SELECT owner, login, {self.MOMENT}, {_summed(COUNTS)} FROM turns
            WHERE number > :after AND number <= :last AND writer != :writer AND at >= :since
            GROUP BY 1, 2, 3 ORDER BY 3"""
        given = {"after": after, "last": last, "writer": but, "since": since}
        rows = db.execute(query, given)
        return [News(owner, login, int(at), Spent(*sums)) for owner, login, at, *sums in rows]


class Clients:
    """The names that programs have in a day's sums."""

    def __init__(self, db: Transaction) -> None:
        self._db = db
        self._known: dict[str, set[str]] = collections.defaultdict(set)

    def name(self, day: str, client: str) -> str:
        """Return the name for a program on a day."""
        if day not in self._known:
            rows: Iterable[tuple[str]] = self._db.execute("SELECT DISTINCT client FROM days WHERE day = ?", (day,))
            self._known[day] = {name for (name,) in rows}
        if client not in self._known[day] and len(self._known[day]) >= MAX_CLIENTS:
            return OTHER
        self._known[day].add(client)
        return client


def _summed(columns: Iterable[str]) -> str:
    # PostgreSQL's sums of whole numbers are of a type that has no bounds.
    return ", ".join(
        f"sum({column})" if column == "dollars" else f"CAST(sum({column}) AS bigint)" for column in columns
    )
