"""The database is there, away and back: nobody hangs, and nobody has to do anything."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from server import free_port, until

from app.errors import ConfigError, DatabaseAway, DatabaseFailed
from app.postgres.database import Postgres
from app.postgres.guard import Guard
from tests.postgres.reach import MAX_SECONDS, refused, works

ROOT = Path(__file__).parent.parent.parent


def test_nobody_listens():
    """A database that cannot be reached is said to be away, with its address and without the password."""
    port = free_port()
    database = Postgres(f"postgresql://ann:SECRETWORD@127.0.0.1:{port}/garden")
    said = refused(database)
    assert f"garden at 127.0.0.1:{port} is away" in said
    assert "SECRETWORD" not in said
    database.close()


def test_there_at_the_last_moment(connect, monkeypatch):
    """A database that is found as the wait for it is over is there, and not away for good."""

    class Contact(threading.Event):
        def wait(self, _=None):
            super().wait()
            return False

    database = connect()
    for name, value in {"_pid": os.getpid(), "_contact": Contact(), "_guard": Guard()}.items():
        monkeypatch.setattr(database, name, value)
    threading.Thread(target=database._hold, daemon=True).start()
    assert database.away is None
    assert works(database)


@pytest.mark.parametrize("way", ["stop", "crash"])
def test_stopped_and_started(engine, connect, way):
    """A database that is stopped, or killed, is away at once, and used again as soon as it is back."""
    database, idle = connect(), connect()
    assert works(database)
    assert works(idle)
    getattr(engine, way)()
    try:
        until(lambda: database.away is not None, MAX_SECONDS)
        refused(database)
    finally:
        engine.start()
    until(lambda: works(database), MAX_SECONDS)
    until(lambda: works(idle), MAX_SECONDS)


def test_what_lasts_too_long(connect):
    """A statement that lasts too long is ended, and nobody says that the database is away."""
    database = connect()
    with pytest.raises(DatabaseAway, match=r"is there, but broke off: .* statement timeout"):
        database.do(lambda db: db.execute("SELECT pg_sleep(60)"))
    assert database.away is None
    assert works(database)


def test_what_others_hold(connect):
    """Who waits too long for what another transaction holds is told so in the same words."""
    database, other = connect(), connect()

    def wait(db):
        db.execute("SELECT pg_advisory_xact_lock(1)")
        with pytest.raises(DatabaseAway, match=r"is there, but broke off: .* lock timeout"):
            other.do(lambda others: others.execute("SELECT pg_advisory_xact_lock(1)"))

    database.do(wait)


def test_what_is_wrong(connect):
    """A statement that fails by itself says nothing of the database."""
    database = connect()
    with pytest.raises(DatabaseFailed, match="no_table") as raised:
        database.do(lambda db: db.execute("SELECT * FROM no_table"))
    assert not isinstance(raised.value, DatabaseAway)
    assert database.away is None


def test_all_or_nothing(connect):
    """What fails in the middle changes nothing."""
    database = connect()

    def work(db):
        db.execute("INSERT INTO owners VALUES ('ann', 1)")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        database.do(work)
    assert database.do(lambda db: db.execute("SELECT count(*) FROM owners").fetchone()[0]) == 0


def test_a_name_of_several_addresses(engine, monkeypatch):
    """Each of a name's addresses is tried, with the port that is its host's."""
    port = int(conninfo_to_dict(engine.create())["port"])
    known = {"db": ("127.0.0.2", "127.0.0.1"), "spare": ("127.0.0.3",)}
    real = socket.getaddrinfo

    def look_up(host, *given, **more):
        if host not in known:
            return real(host, *given, **more)
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 0)) for address in known[host]]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    told = conninfo_to_dict(Postgres(f"postgresql://tests@db:{port},spare:1/x")._conninfo())
    assert told["host"] == "db,db,spare"
    assert (told["hostaddr"], told["port"]) == ("127.0.0.2,127.0.0.1,127.0.0.3", f"{port},{port},1")
    database = Postgres(engine.create().replace("@127.0.0.1:", "@db:"))
    assert works(database)
    database.close()


def test_a_url_that_is_none():
    """A URL that cannot be read names its setting, and not the password."""
    with pytest.raises(ConfigError, match="CLAUDE_PROXY_DATABASE") as raised:
        Postgres("postgresql://ann:SECRETWORD@host/garden?no_such=1")
    assert "SECRETWORD" not in str(raised.value)


@pytest.mark.parametrize(
    "password", ["SECRET%WORD", "SECRET/WORD", "12/SECRETWORD", "SECRET@WORD", "SECRET@[WORD", 'a"%SECRET']
)
def test_a_password_that_is_not_encoded(password):
    """Whatever libpq takes the rest of such a password for, the message has none of it, and says what to do."""
    with pytest.raises(ConfigError, match="%40") as raised:
        Postgres(f"postgresql://ann:{password}@127.0.0.1/garden")
    assert "SECRET" not in str(raised.value)
    assert "WORD" not in str(raised.value)


def test_what_others_tell_is_heard_at_once(connect, monkeypatch):
    """Who listens does not wait for the end of its time: a revoked key would count until then."""
    monkeypatch.setattr("app.postgres.database.LISTEN_SECONDS", 20.0)
    heard = []
    listener, teller = connect(), connect()
    listener.heard("plums", lambda _: heard.append("plums"))
    assert works(listener)
    assert heard == ["plums"]
    teller.do(lambda db: db.tell("plums"))
    until(lambda: len(heard) == 2, 5, "what was told")


# A process of its own, since gevent takes over the threads of the one that asks for it.
BESIDE = """
import gevent.monkey
gevent.monkey.patch_all()
import sys, threading, time
from app.postgres.database import Postgres

database, beats, done = Postgres(sys.argv[1]), [], threading.Event()
database.do(lambda db: db.execute("SELECT 1"))

def beat():
    while not done.is_set():
        beats.append(time.monotonic())
        time.sleep(0.01)

def sleep():
    database.do(lambda db: db.execute("SELECT pg_sleep(1)"))

threading.Thread(target=beat).start()
began = time.monotonic()
sleepers = [threading.Thread(target=sleep) for _ in range(4)]
for sleeper in sleepers: sleeper.start()
for sleeper in sleepers: sleeper.join()
took = time.monotonic() - began
done.set()
print(took, max(after - before for before, after in zip(beats, beats[1:])))
"""


def test_others_go_on(url, tmp_path):
    """Under gevent, waiting for the database holds up nobody: neither the loop nor another transaction."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    argv = [sys.executable, "-c", BESIDE, url]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    took, longest = map(float, done.stdout.split())
    assert took < 3.5  # one after the other they would take 4
    assert longest < 0.9  # one that held the loop would hold it for 1
