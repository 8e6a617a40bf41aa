"""Hosts that tell of themselves; that a real database keeps it is shown in tests/postgres/test_presence.py."""

from __future__ import annotations

import threading

import pytest
from server import until

from app import hosts
from app.errors import DatabaseAway, DatabaseFailed
from app.hosts import GONE_SECONDS, Host, Presence, Seen, Sight, named


def host(name="alpha", port=3456, worker=1, **more):
    return Host(name=name, port=port, worker=worker, version="1", **more)


@pytest.mark.parametrize(
    ("told", "ago", "state"),
    [
        ({}, 1, "ready"),
        ({"reason": "Log in."}, 1, "not ready"),
        ({}, GONE_SECONDS + 1, "gone"),
        ({"reason": "Log in."}, GONE_SECONDS + 1, "gone"),
        ({"stopped": True}, 1, "stopped"),
    ],
)
def test_state(told, ago, state):
    """What has not been heard of for a while is gone, whatever it said; what said that it stops has stopped."""
    assert Seen(host(**told), 1e9, ago).state == state
    assert Seen(host(**told), 1e9, ago).told()["state"] == state


def test_names():
    """A worker is told apart where a server has several; several workers are one host."""
    two = (Seen(host(worker=7), 0, 0), Seen(host(worker=8), 0, 0))
    assert [name for name, _ in named(two)] == ["alpha:3456 worker 7", "alpha:3456 worker 8"]
    assert not Sight(two, 0).several
    other = (*two, Seen(host("fd00::1"), 0, 0))
    assert [name for name, _ in named(other)][-1] == "[fd00::1]:3456"
    assert Sight(other, 0).several


class Database:
    """A database that fails in the ways that are given, one after the other, and then for ever in the last."""

    def __init__(self, *ways):
        self.ways, self.asked = list(ways), 0

    def do(self, work):
        self.asked += 1
        way = self.ways.pop(0) if len(self.ways) > 1 else self.ways[0]
        if isinstance(way, Exception):
            raise way
        return way


@pytest.fixture
def presence(monkeypatch):
    """Give a function that begins to tell a database of this host, many times a second."""
    monkeypatch.setattr(hosts, "SIGN_SECONDS", 0.01)
    begun = []

    def begin(database, own=host):
        begun.append(Presence(database))
        begun[-1].tell_of(own)
        begun[-1].open()
        return begun[-1]

    yield begin
    for each in begun:
        each.close()


def test_failures(presence, caplog):
    """A database that is away is no news here, one that fails is, once; then all goes on by itself."""
    seen = (Seen(host(), 1e9, 0),)
    known = presence(Database(DatabaseAway("away"), DatabaseFailed("full"), DatabaseFailed("full"), seen))
    until(lambda: known.sight)
    assert known.sight.hosts == seen
    assert not known.sight.old
    assert [record.levelname for record in caplog.records if record.name == "app.hosts"] == ["WARNING"]


def test_own_failure(presence, caplog):
    """What cannot be told now is told the next time."""
    told = iter([ValueError("odd")])

    def own():
        for error in told:
            raise error
        return host()

    known = presence(Database(()), own)
    until(lambda: known.sight)
    assert "odd" in caplog.text


def test_without_a_database():
    """Nothing is told, and nothing runs."""
    before = threading.active_count()
    known = Presence(None)
    known.tell_of(host)
    known.open()
    known.close()
    assert (known.sight, threading.active_count()) == (None, before)
