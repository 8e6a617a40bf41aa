"""What a shared database costs: turns of sessions with it and with files, empty and with a million stored turns.

Expired sessions are cleared away meanwhile. What a host's death costs is in `killed`.
"""

from __future__ import annotations

import http.client
import json
import random
import sqlite3
import tempfile
import time
from pathlib import Path

import psycopg
from server import Server

from app.postgres.database import Postgres
from app.sessions.postgres import PostgresStore
from app.sessions.sql import SqlStore
from app.sessions.sqlite import FILE, SqliteStore
from app.sessions.store import SessionName
from tests.postgres.engine import Engine, folder_of_programs

from . import killed
from .figures import Report, median, p95
from .place import FAST, Place

SECTION = "sessions, ms"
# So many rounds at first, which find everything cold, are not counted.
WARM = 10
TURNS = 10
# One in so many has expired, so that turns clear them away meanwhile, a few at the end of each.
EXPIRED = 5
MAX_CLEARING_MS = 25
LIVE_SECONDS = 86400


def measure(report: Report, place: Place, rounds: int, sessions: int, kills: int) -> None:
    """Ask all of them so many times, turn about, with so many sessions stored; then kill hosts.

    Without PostgreSQL there is nothing to measure.
    """
    if folder_of_programs() is None:
        print(f"  {SECTION}: PostgreSQL is not installed")
        return
    engine = Engine(Path(place.enter_context(tempfile.TemporaryDirectory(prefix="postgres-"))))
    engine.start()
    place.callback(engine.stop)
    empty, filled, folder = engine.create(), engine.create(), place.home() / "filled"
    _fill_postgres(filled, sessions)
    _fill_folder(folder, sessions)
    full = f"{sessions * TURNS:,} turns"
    servers = {
        "sqlite, empty": place.server(FAST),
        f"sqlite, {full}": place.server(FAST, CLAUDE_PROXY_STATE_DIR=str(folder)),
        "PostgreSQL, empty": place.server(FAST, CLAUDE_PROXY_DATABASE=empty),
        f"PostgreSQL, {full}": place.server(FAST, CLAUDE_PROXY_DATABASE=filled),
    }
    asked = [(name, server, session) for name, server in servers.items() for session in ("bench", None)]
    took: dict[tuple[str, str | None], list[tuple[float, float]]] = {(name, session): [] for name, _, session in asked}
    for round_number in range(rounds + WARM):
        for name, server, session in random.sample(asked, len(asked)):
            times = _ask(server, session)
            server.wait_for_spare()  # its start would be measured with the next answer
            if round_number >= WARM:
                took[name, session].append(times)
    firsts = {which: [first for first, _ in times] for which, times in took.items()}
    wholes = {which: p95([whole for _, whole in times]) for which, times in took.items()}
    for (name, session), values in firsts.items():
        told = name if session else f"{name}, no session"
        figures = {"first token, median": median(values), "p95": p95(values), "longest": max(values)}
        report.add(SECTION, told, **figures, **{"whole answer, p95": wholes[name, session]})
    medians = {which: median(values) for which, values in firsts.items()}
    over = medians["PostgreSQL, empty", "bench"] - medians["sqlite, empty", "bench"]
    report.aim(
        "a session's turn with PostgreSQL instead of sqlite", "at most 5 ms more", over, "ms", lambda ms: ms <= 5
    )
    over = medians["PostgreSQL, empty", None] - medians["sqlite, empty", None]
    report.aim("a chat without session the same", "at most 1 ms more", over, "ms", lambda ms: ms <= 1)
    for engine_name in ("sqlite", "PostgreSQL"):
        this, bare = (engine_name + f", {state}" for state in (full, "empty"))
        ratio = medians[this, "bench"] / medians[bare, "bench"]
        report.aim(f"{engine_name} with {full} to empty", "at most 1.2", ratio, "", lambda part: part <= 1.2)
        over = wholes[this, "bench"] - wholes[bare, "bench"]
        aim = f"{engine_name}, a whole turn beside expiry, p95"
        report.aim(aim, f"at most {MAX_CLEARING_MS} ms more", over, "ms", lambda ms: ms <= MAX_CLEARING_MS)
    left = {"sqlite": _expired_in(SqliteStore(folder / FILE, LIVE_SECONDS))}
    left["PostgreSQL"] = _expired_in(PostgresStore(Postgres(filled), LIVE_SECONDS))
    for engine_name, number in left.items():
        gone = sessions // EXPIRED - number
        report.add(SECTION, f"{engine_name}, expired sessions cleared away meanwhile", sessions=gone)
        assert gone, "nothing has expired while it was measured"
    killed.measure(report, place, engine, kills)


def _expired_in(store: SqlStore) -> int:
    """Return how many sessions are kept although they have expired."""
    query = "SELECT count(*) FROM sessions WHERE used < ?"
    number = store._do(lambda db: db.execute(query, (time.time() - LIVE_SECONDS,)).fetchone()[0])
    store.close()
    return int(number)


def _ask(server: Server, session: str | None) -> tuple[float, float]:
    """Return how long the first token of an answer took, and all of it, in milliseconds."""
    body = {"model": "sonnet", "messages": [{"role": "user", "content": "And then?"}], "stream": True}
    headers = {"Content-Type": "application/json", **({"X-Session-Id": session} if session else {})}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    began = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
    response = connection.getresponse()
    assert response.status == 200, response.read()
    first = 0.0
    while line := response.readline():
        if not first and line.startswith(b"data: {") and json.loads(line[6:])["choices"][0]["delta"].get("content"):
            first = time.perf_counter()
    end = time.perf_counter()
    connection.close()
    if session and random.random() < 0.1:
        server.request("DELETE", f"/v1/sessions/{session}")
    return (first - began) * 1000, (end - began) * 1000


WORDS = '{"role":"user","content":[{"type":"text","text":"one of a million turns, of about a hundred letters each"}]}'


def _fill_postgres(url: str, sessions: int) -> None:
    database = Postgres(url)
    assert PostgresStore(database, LIVE_SECONDS).load(SessionName("", "none")) is None  # the tables are made
    database.close()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("SET search_path TO claude_max_api")
        db.execute(
            "INSERT INTO nodes (node, owner, digest, parent, uses, turn) OVERRIDING SYSTEM VALUE SELECT n, '', "
            "sha256(n::text::bytea), nullif(n - 1, (n - 1) / %s * %s), 1, %s "
            "FROM generate_series(1, %s) n",
            (TURNS, TURNS, WORDS.encode(), sessions * TURNS),
        )
        db.execute("SELECT setval(pg_get_serial_sequence('nodes', 'node'), (SELECT max(node) FROM nodes))")
        db.execute(
            "INSERT INTO sessions SELECT '', ('s' || k)::bytea, '', k * %s, %s, md5(k::text), t, t FROM (SELECT k, "
            "extract(epoch FROM now()) - CASE WHEN k <= %s THEN %s ELSE 0 END AS t FROM generate_series(1, %s) k) AS s",
            (TURNS, TURNS, sessions // EXPIRED, 2 * LIVE_SECONDS, sessions),
        )
        db.execute("INSERT INTO owners VALUES ('', %s)", (sessions * TURNS * len(WORDS),))
        db.execute("VACUUM ANALYZE")


def _fill_folder(folder: Path, sessions: int) -> None:
    folder.mkdir(mode=0o700)
    store = SqliteStore(folder / FILE, LIVE_SECONDS)
    assert store.load(SessionName("", "none")) is None
    store.close()
    now = time.time()
    with sqlite3.connect(folder / FILE) as db:
        db.executemany(
            "INSERT INTO nodes VALUES (?, '', ?, ?, 1, ?)",
            (
                (n, n.to_bytes(32), None if n % TURNS == 1 else n - 1, WORDS.encode())
                for n in range(1, sessions * TURNS + 1)
            ),
        )
        db.executemany(
            "INSERT INTO sessions VALUES ('', ?, '', ?, ?, ?, ?, ?)",
            (
                (f"s{k}", k * TURNS, TURNS, str(k), now - age, now - age)
                for k in range(1, sessions + 1)
                for age in (2 * LIVE_SECONDS if k <= sessions // EXPIRED else 0,)
            ),
        )
        db.execute("INSERT INTO owners VALUES ('', ?)", (sessions * TURNS * len(WORDS),))
    db.close()
