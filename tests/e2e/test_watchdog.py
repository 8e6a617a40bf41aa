"""A stall of the event loop is told, with the request that held it and where, and counted."""

from __future__ import annotations

import json
import signal
import time

import psutil
import pytest
from server import CONFIG, GUNICORN, until

ARGV = (*GUNICORN, *CONFIG, "tests.stalling_wsgi:app")


@pytest.fixture
def stalling(serve):
    return serve(ARGV, CLAUDE_PROXY_SPARES="0", LOG_FORMAT="json")


def stalls(server):
    lines = [json.loads(line) for line in server.log.splitlines() if "stood still" in line]
    return [line for line in lines if "stalling_wsgi" in line["at"]]


def numbers(server):
    _, _, body = server.request("GET", "/metrics")
    lines = [line.rsplit(" ", 1) for line in body.decode().splitlines() if line.startswith("claude_proxy_loop_stall")]
    return {name.removeprefix("claude_proxy_loop_stall_"): float(value) for name, value in lines}


def test_told(stalling):
    """Whoever held the loop is told by its request's id and by the line it was at, with the time it took."""
    before = numbers(stalling)
    status, headers, body = stalling.request("GET", "/stall/1500")
    assert status == 200
    (line,) = until(lambda: stalls(stalling), what="line")
    assert line["id"] == body.decode() == headers["x-request-id"]
    assert line["at"].startswith("tests/stalling_wsgi.py:")
    assert "hold" in line["at"]
    assert 1200 <= line["ms"] < 5000
    after = numbers(stalling)
    assert after["seconds_count"] > before["seconds_count"]
    assert after["longest_seconds"] >= 1.2
    assert after["seconds_sum"] >= before["seconds_sum"] + 1.2
    assert after['seconds_bucket{le="+Inf"}'] - after['seconds_bucket{le="1.0"}'] >= 1


def test_work(stalling):
    """The CPU time of a stall tells whether the server worked or the machine left it no time."""
    for path in ("/stall/800", "/work/800"):
        assert stalling.request("GET", path)[0] == 200
    waited, worked = until(lambda: len(stalls(stalling)) == 2 and stalls(stalling), what="lines")
    assert waited["cpu_ms"] < 400
    assert 700 <= worked["cpu_ms"] <= worked["ms"] + 50


def test_not_told(stalling):
    """What takes less is no stall, however often it comes; nor is a loop that has nothing to do."""
    for _ in range(20):
        assert stalling.request("GET", "/stall/20")[0] == 200
    time.sleep(1)
    assert stalls(stalling) == []


def test_idle(stalling):
    """Watching costs an idle server next to nothing, and its end comes as soon as without."""
    worker = stalling.worker()
    until(lambda: worker.status() == psutil.STATUS_SLEEPING)
    time.sleep(1)
    before, switches = worker.cpu_times(), worker.num_ctx_switches().voluntary
    time.sleep(3)
    after = worker.cpu_times()
    assert after.user + after.system - before.user - before.system < 0.3
    assert worker.num_ctx_switches().voluntary - switches < 300
    began = time.monotonic()
    stalling.stop(signal.SIGTERM)
    assert time.monotonic() - began < 10
