"""What a database knows of the hosts that share it."""

from __future__ import annotations

import pytest
from server import until

from app import hosts
from app.backend import Window
from app.hosts import Host, Presence
from tests.postgres.reach import MAX_SECONDS

ALPHA = Host(
    name="alpha", port=3456, worker=7, version="1.2", cli="2.1.330", running=2, queued=1, shelf=3, plan="max",
    windows={"five_hour": Window(42.0, 2e9, "allowed", 1e9)}, login="0123456789abcdef", since=1e9,
)  # fmt: skip


def beta(**more):
    return Host(name="beta", port=3456, worker=7, version="1", **more)


@pytest.fixture
def begin(connect, monkeypatch):
    """Give a function that begins to tell of a host, as another server does."""
    monkeypatch.setattr(hosts, "SIGN_SECONDS", 0.1)
    begun = []

    def start(host):
        begun.append(Presence(connect()))
        begun[-1].tell_of(lambda: host)
        begun[-1].open()
        return begun[-1]

    yield start
    for each in begun:
        each.close()


def states(database):
    return {name: seen.state for name, seen in hosts.named(database.do(hosts.look))}


def test_each_sees_all(begin):
    """A host sees what another tells, whole and soon."""
    here = begin(ALPHA)
    there = begin(beta(reason="Log in."))
    until(lambda: there.sight and len(there.sight.hosts) == 2, MAX_SECONDS, "both")
    (alpha, other) = there.sight.hosts
    assert alpha.host == ALPHA
    assert (alpha.state, other.state) == ("ready", "not ready")
    assert alpha.ago < hosts.GONE_SECONDS
    until(lambda: here.sight.several, MAX_SECONDS, "both, here, too")


def test_an_end(begin, connect):
    """One that stops says so; when it runs again nothing is left of its earlier run, and other workers stay."""
    first, other = begin(ALPHA), begin(beta())
    until(lambda: other.sight and other.sight.several, MAX_SECONDS, "both")
    first.close()
    database = connect()
    assert states(database) == {"alpha:3456": "stopped", "beta:3456": "ready"}
    again = [Host(name="alpha", port=3456, worker=worker, version="1") for worker in (8, 9)]
    for host in again:
        database.do(lambda db, host=host: hosts.tell(db, host))
    assert states(database) == {
        "alpha:3456 worker 8": "ready", "alpha:3456 worker 9": "ready", "beta:3456": "ready",
    }  # fmt: skip


def test_silence(connect):
    """One without a word is gone after a while, and after a day it is no longer told of."""
    database = connect()
    for host in (ALPHA, beta()):
        database.do(lambda db, host=host: hosts.tell(db, host))
    for span, expected in (
        ("1 minute", {"alpha:3456": "gone", "beta:3456": "ready"}),
        ("25 hours", {"beta:3456": "ready"}),
    ):
        database.do(
            lambda db, span=span: db.execute(
                "UPDATE hosts SET seen = now() - ?::interval WHERE name = 'alpha'", (span,)
            )
        )
        assert states(database) == expected
    database.do(lambda db: hosts.tell(db, beta()))
    assert database.do(lambda db: db.execute("SELECT count(*) FROM hosts").fetchone()) == (1,)


def test_a_database_that_goes(begin, engine):
    """While it is away what was known stays, as old; then it is told again, without anybody's help."""
    here = begin(ALPHA)
    until(lambda: here.sight, MAX_SECONDS, "the first")
    engine.stop()
    before = here.sight.at
    engine.start()
    until(lambda: here.sight.at > before + 0.5, MAX_SECONDS, "news")
