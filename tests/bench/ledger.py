"""What the ledger costs: the same questions, one after the other, to a server with it and to one without."""

from __future__ import annotations

import random
import sqlite3

from server import GUNICORN

from .figures import Report, median, p95
from .place import FAST, Place
from .served import Client

SECTION = "the ledger, ms to the first token"
# So many rounds at first, which find everything cold, are not counted.
WARM = 15
WITHOUT = (*GUNICORN, "-c", "tests/bench/without_ledger.py", "wsgi:app")


def measure(report: Report, place: Place, rounds: int) -> None:
    """Ask both so many times, turn about, without a rest: rows are written while the next question is answered."""
    servers = {"with it": place.server(FAST), "without it": place.server(FAST, WITHOUT)}
    talks = {name: Client(server) for name, server in servers.items()}
    firsts: dict[str, list[float]] = {name: [] for name in servers}
    for round_number in range(rounds + WARM):
        for name, talk in random.sample([*talks.items()], len(talks)):
            timing = talk.ask("And then?")
            if round_number >= WARM:
                assert talk.served == "kept", talk.served
                firsts[name].append(timing.first)
    for name, values in firsts.items():
        report.add(SECTION, name, median=median(values), p95=p95(values))
    over = median(firsts["with it"]) - median(firsts["without it"])
    report.aim("the ledger, on the first token", "at most 1 ms", over, "ms", lambda ms: ms <= 1)
    ratio = median(firsts["with it"]) / median(firsts["without it"])
    report.aim("with the ledger to without it", "at most 1.1", ratio, "", lambda part: part <= 1.1)
    for name, server in servers.items():
        path = server.state / "usage.db"
        kept = sqlite3.connect(path).execute("SELECT count(*) FROM turns").fetchone()[0] if path.exists() else 0
        assert (kept > rounds) is (name == "with it"), f"{name}: {kept} rows"
