"""How long the event loop stands still at most while clients of all the load's kinds ask, with the real CLI."""

from __future__ import annotations

import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from server import GUNICORN

from app.standin import StandIn
from tests.load.answers import reply
from tests.load.traffic import KINDS, visit

from .figures import Report
from .place import Place

SECTION = "the event loop under mixed load"
CLIENTS = 6
# The load's settings, with a watchdog that tells of stalls from 10 ms on.
COMMAND = (*GUNICORN, "-c", "tests/load/gunicorn_config.py", "wsgi:app")
SETTINGS = {"CLAUDE_PROXY_MAX_CONCURRENCY": "4", "CLAUDE_PROXY_PRIMED": "1", "CLAUDE_PROXY_LIMIT_PROBE": "0.000001"}
TOLD = re.compile(r"the event loop stood still ms=(\d+) cpu_ms=(\d+)")


def measure(report: Report, place: Place, *, seconds: float) -> None:
    """Let clients come and go for `seconds`, and read what the watchdog told meanwhile."""
    with StandIn(reply=reply, record=False) as api:
        server = place.server(argv=COMMAND, ANTHROPIC_BASE_URL=api.url, **SETTINGS)
        server.wait_for_spare()
        for kind in KINDS:  # what is imported or built once is so now
            visit(kind, server)
        told = len(server.log)
        end = time.monotonic() + seconds
        lock, served = threading.Lock(), 0

        def come_and_go() -> None:
            nonlocal served
            while time.monotonic() < end:
                (kind,) = random.choices(list(KINDS), [kind.weight for kind in KINDS.values()])
                requests = visit(kind, server)
                with lock:
                    served += requests

        with ThreadPoolExecutor(CLIENTS) as pool:
            for client in [pool.submit(come_and_go) for _ in range(CLIENTS)]:
                client.result()
        stalls = [(int(ms), int(cpu)) for ms, cpu in TOLD.findall(server.log[told:])]
    longest, worked = (max((stall[which] for stall in stalls), default=0) for which in (0, 1))
    figures = {"requests": served, "stalls of over 10 ms": len(stalls), "longest, ms": longest, "CPU, ms": worked}
    report.add(SECTION, f"{CLIENTS} clients, {seconds:g} s", **figures)
    report.aim("longest stall under mixed load, CPU time", "at most 50 ms", worked, "ms", lambda ms: ms <= 50)
