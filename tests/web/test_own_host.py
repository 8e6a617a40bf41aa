"""What a server tells the other hosts of itself."""

from __future__ import annotations

import os
import socket

import pytest

from app.backend import Cli, PlanStatus, Readiness, SlotCounts, Window
from app.version import __version__
from app.web import readiness
from app.web.own_host import OwnHost
from app.web.readiness import Verdicts
from app.web.state import state


@pytest.fixture
def own(fronted):
    return OwnHost(state(fronted), Verdicts(state(fronted)))


def test_told(own, backend):
    """It tells who and how it is: name, port, versions, turns, waiting processes, plan and login."""
    window = Window(42.0, 2e9, "allowed", 1e9)
    plan = PlanStatus({"five_hour": window}, [], name="max")
    backend.tell(slots=SlotCounts(8, 3, 2), plan=plan, login="0123456789abcdef")
    host = own()
    assert (host.name, host.port, host.worker) == (socket.gethostname(), 3456, os.getpid())
    assert (host.version, host.cli, host.reason) == (__version__, "2.1.300", None)
    assert (host.running, host.queued, host.shelf) == (3, 2, 2)
    assert (host.plan, host.windows, host.login) == ("max", {"five_hour": window}, "0123456789abcdef")
    assert host.since == own().since


def test_not_ready(own, backend, monkeypatch):
    """Claude Code is asked seldom; an end is told at once."""
    made = []
    verdict = readiness.verdict
    monkeypatch.setattr(readiness, "verdict", lambda state: made.append(1) or verdict(state))
    assert [own().reason for _ in range(3)] == [None] * 3
    assert len(made) == 1
    backend.draining = True
    backend.readiness_told = Readiness("It stops.", Cli(found=False, put_aside=None), "unknown")
    assert (own().reason, own().cli) == ("It stops.", None)
