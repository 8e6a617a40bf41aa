"""The ledger in PostgreSQL: what all hosts have used, in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import msgspec

from app.ledger.entry import Entry, day_of
from app.ledger.sql import COLUMNS, DAY_COLUMNS, SUMMED, Clients, SqlLedger
from app.ledger.store import Mark, News
from app.ledger.sums import HOUR, MINUTE, SPAN_SECONDS
from app.ledger.windows import Place, Seen, merged_windows
from app.postgres.database import Postgres, Transaction

# The columns that hold numbers, by their types; the others hold text.
TYPES = {
    **dict.fromkeys(("place", "status", "ms", "ttft_ms", *SUMMED), "bigint"),
    **dict.fromkeys(("at", "dollars"), "float8"),
}
GIVEN = ("writer", "place", "day", "named", "failed", *COLUMNS)
# A batch is one statement, whatever its size: others wait meanwhile. `named` is the program's name in the days' sums.
ROWS = f"""
WITH given AS (
    SELECT * FROM jsonb_to_recordset(?::jsonb) AS (
        {", ".join(f'"{name}" {TYPES.get(name, "text")}' for name in GIVEN)}))"""
ADD_TURNS = f"""
INSERT INTO turns (number, writer, place, day, {", ".join(COLUMNS)})
SELECT ?::bigint + row_number() OVER (ORDER BY place), writer, place, day, {", ".join(COLUMNS)} FROM given
ON CONFLICT (writer, place) DO NOTHING RETURNING place
"""
ADD = f"""
{ROWS}, added AS ({ADD_TURNS})
INSERT INTO days (day, owner, client, model, source, key, {", ".join(SUMMED)})
SELECT day, owner, named, model, '', max(key), {", ".join(f"sum({name})" for name in SUMMED)}
FROM given JOIN added USING (place) GROUP BY day, owner, named, model
ON CONFLICT (day, owner, client, model, source)
    DO UPDATE SET {", ".join(f"{name} = days.{name} + excluded.{name}" for name in SUMMED)}
"""
REPLACE_DAY = f"""
INSERT INTO days (source, {", ".join(DAY_COLUMNS)}) VALUES (?, {", ".join("?" * len(DAY_COLUMNS))})
ON CONFLICT (day, owner, client, model, source)
    DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in SUMMED)}
"""
# Writers are one after the other: whoever has read up to a number has read all before it, and nobody adds to the days'
# sums in another order than others do.
NUMBER = "UPDATE ledger SET number = number + ? RETURNING number"
# So many turns are read at a time: a server that begins reads those of a week, and holds up nobody.
MAX_NEWS = 5000
LAST = "SELECT epoch, number FROM ledger"
FIGURES = Seen.__struct_fields__
KEEP = f"""
INSERT INTO windows (login, name, {", ".join(FIGURES)}) VALUES (?, ?, {", ".join("?" * len(FIGURES))})
ON CONFLICT (login, name) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in FIGURES)}
"""
T = TypeVar("T")


class PostgresLedger(SqlLedger):
    """A LedgerStore in a database; a day is that of the machine that wrote of it.

    `host` tells this machine from others. Thread-safe.
    """

    DAY: ClassVar[str] = "day"
    MOMENT: ClassVar[str] = (
        f"CASE WHEN at < :since + {SPAN_SECONDS - HOUR} THEN floor(at / {MINUTE}) * {MINUTE} ELSE floor(at) END"
    )
    DAYS: ClassVar[str] = "day, owner, client, model, source"
    OURS: ClassVar[str] = "starts_with(writer, :host)"
    MOST: ClassVar[int] = 1_000_000

    def __init__(self, database: Postgres, host: str = "") -> None:
        self._database = database
        self.host = host

    @property
    def where(self) -> str:
        """Where it is, for people."""
        return f"the database {self._database.where}"

    def write(self, writer: str, entries: Sequence[tuple[int, Entry]]) -> None:
        """Add entries to the turns and to their days' sums, all or none; what is there already changes nothing."""

        def add(db: Transaction) -> None:
            (last,) = db.execute(NUMBER, (len(entries),)).fetchone()
            clients = Clients(db)
            rows = [_row(writer, place, entry, clients.name) for place, entry in entries]
            db.execute(ADD, (msgspec.json.encode(rows).decode(), last - len(entries)))

        self._do(add)

    def take_over(self, turns: Sequence[tuple[str, int, Entry]]) -> int:
        """Add turns of another store, by writer and place, not to the days' sums; return how many were not there."""

        def add(db: Transaction) -> int:
            (last,) = db.execute(NUMBER, (len(turns),)).fetchone()
            rows = [_row(writer, place, entry, lambda _, client: client) for writer, place, entry in turns]
            given = (msgspec.json.encode(rows).decode(), last - len(turns))
            return int(db.execute(f"{ROWS} {ADD_TURNS}", given).rowcount)

        return self._do(add)

    def take_over_days(self, source: str, days: Sequence[tuple[Any, ...]]) -> int:
        """Put a store's sums by day in the place of those that were taken over from it; return how many are new."""

        def replace(db: Transaction) -> int:
            count = "SELECT count(*) FROM days WHERE source = ?"
            (before,) = db.execute(count, (source,)).fetchone()
            db.executemany(REPLACE_DAY, [(source, *map(_text, day)) for day in days])
            return int(db.execute(count, (source,)).fetchone()[0] - before)

        return self._do(replace)

    def news(self, after: Mark, but: str, since: float) -> tuple[list[News], Mark]:
        """Return what was spent by the entries beyond a mark that others wrote `but` this writer, and the next mark."""

        def read(db: Transaction) -> tuple[list[News], Mark]:
            last = self._last(db)
            if last == after:
                return [], last
            begin = after.number if last.epoch == after.epoch else 0
            (first,) = db.execute("SELECT min(number) FROM turns WHERE number > ?", (begin,)).fetchone()
            if first is None:
                return [], last
            end = min(last.number, first + MAX_NEWS)
            return self._read_news(db, begin, end, but, since), Mark(last.epoch, end)

        return self._database.do(read, whole=False)

    def wipe(self) -> None:
        """Leave it to the database, which makes room for others by itself."""

    def close(self) -> None:
        """Leave the database open: others use it, too."""

    def _do(self, work: Callable[[Any], T]) -> T:
        return self._database.do(work)

    def _last(self, db: Any) -> Mark:
        return Mark(*db.execute(LAST).fetchone())


def _row(writer: str, place: int, entry: Entry, name: Callable[[str, str], str]) -> dict[str, Any]:
    fields = {column: _text(value) for column, value in msgspec.structs.asdict(entry).items()}
    day = day_of(entry.at)
    named = name(day, fields["client"])
    return {**fields, "writer": writer, "place": place, "day": day, "named": named, "failed": int(entry.failed)}


def _text(value: Any) -> Any:
    # PostgreSQL's text has no U+0000.
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


class PostgresWindows:
    """A WindowStore in a database, for all hosts."""

    def __init__(self, database: Postgres) -> None:
        self._database = database

    def merge(self, seen: Mapping[Place, Seen]) -> dict[Place, Seen]:
        """Add what was seen to what is there, and return all of it. Raises DatabaseFailed."""

        def work(db: Transaction) -> dict[Place, Seen]:
            if seen:
                # One after the other, so that nobody takes the place of what he has not read.
                db.execute("LOCK TABLE windows IN SHARE ROW EXCLUSIVE MODE")
            rows = db.execute(f"SELECT login, name, {', '.join(FIGURES)} FROM windows").fetchall()
            there = {Place(login, name): Seen(*figures) for login, name, *figures in rows}
            merged = merged_windows(there, seen)
            changed = [(*place, *msgspec.structs.astuple(one)) for place, one in merged.items() if place in seen]
            db.executemany(KEEP, changed)
            return merged

        return self._database.do(work)
