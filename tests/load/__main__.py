"""`python -m tests.load [--minutes 10] [--clients 6]`: mixed traffic.

The status is 1 when something leaks or is wrong, or where the ledger has other sums than the API sent.
"""

from __future__ import annotations

import argparse
import collections
import random
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from server import GUNICORN, Server

from app.standin import StandIn
from tests.bench.place import Place

from .answers import reply
from .bills import Audit, Bills
from .condition import Condition
from .traffic import KINDS, visit

SETTINGS = {
    # Fewer turns than clients, so that some wait; kept processes end soon, so that the end is like the beginning.
    "CLAUDE_PROXY_MAX_CONCURRENCY": "4",
    "CLAUDE_PROXY_KEEP_SECONDS": "15",
    # One client's used-up plan is nobody else's business here.
    "CLAUDE_PROXY_LIMIT_PROBE": "0.000001",
}
COMMAND = (*GUNICORN, "-c", "tests/load/gunicorn_config.py", "wsgi:app")


class Tally:
    """What became of each kind of client. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests: collections.Counter[str] = collections.Counter()
        self.took: dict[str, list[float]] = collections.defaultdict(list)
        self.wrong: list[str] = []

    def run(self, kind: str, server: Server) -> None:
        """Be a client of this kind once."""
        began = time.monotonic()
        try:
            requests, wrong = visit(kind, server), None
        except Exception as error:  # noqa: BLE001 - whatever it is, the client did not get what was its own
            requests, wrong = 1, f"{kind}: {error!r:.400}"
        with self._lock:
            self.requests[kind] += requests
            self.took[kind].append(time.monotonic() - began)
            if wrong is not None:
                self.wrong.append(wrong)

    def table(self) -> str:
        lines = ["| clients | number | requests | seconds, median | longest |", "|---|---|---|---|---|"]
        for kind, took in sorted(self.took.items()):
            figures = f"{statistics.median(took):.2f} | {max(took):.2f}"
            lines.append(f"| {kind} | {len(took):,} | {self.requests[kind]:,} | {figures} |")
        return "\n".join(lines)


def main() -> None:
    """Warm up, take the server's measure, let clients come for `--minutes`, and take it again."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--clients", type=int, default=6)
    given = parser.parse_args()
    with Place() as place, StandIn(reply=reply, record=False) as api:
        bills = Bills()
        api.bill = bills.take
        server = place.server(argv=COMMAND, ANTHROPIC_BASE_URL=api.url, **SETTINGS)
        server.wait_for_spare()
        warm = Tally()
        with ThreadPoolExecutor(given.clients) as pool:
            list(pool.map(lambda kind: warm.run(kind, server), [*KINDS] * 2))
        before = Condition.at_rest(server)
        print(f"before: {before}", flush=True)
        tally = Tally()
        _serve(server, tally, given.minutes, given.clients)
        after = Condition.at_rest(server)
        audit = Audit(server.state / "usage.db", bills, warm.requests + tally.requests)
        wrong = [*warm.wrong, *tally.wrong, *(f"refused by the API: {one}" for one in api.rejected)]
        wrong += audit.wrong
        wrong += [f"log: {line}" for line in server.log.splitlines() if " ERROR " in line or "Traceback" in line]
    leaks = before.leaks(after)
    print(f"\n{tally.table()}\n\n{audit.table}\n\nbefore: {before}\nafter:  {after}")
    total = sum(tally.requests.values())
    print(f"{total:,} requests in {given.minutes:g} minutes; {len(wrong)} wrong, {len(leaks)} leaks")
    for one in [*wrong[:20], *leaks]:
        print(f"  {one}")
    sys.exit(1 if wrong or leaks else 0)


class _Kinds:
    """Kinds of clients as often as they are to come, in random order, none left out for long. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: list[str] = []

    def next(self) -> str:
        with self._lock:
            if not self._left:
                self._left = [kind for kind, told in KINDS.items() for _ in range(told.weight)]
                random.shuffle(self._left)
            return self._left.pop()


def _serve(server: Server, tally: Tally, minutes: float, clients: int) -> None:
    """Let so many clients come one after the other, each of a kind of its own; tell each minute how it goes."""
    end = time.monotonic() + 60 * minutes
    kinds = _Kinds()

    def come_and_go() -> None:
        while time.monotonic() < end:
            tally.run(kinds.next(), server)

    threads = [threading.Thread(target=come_and_go) for _ in range(clients)]
    for thread in threads:
        thread.start()
    minute = 0
    while time.monotonic() < end:
        time.sleep(max(0.0, min(60.0, end - time.monotonic())))
        minute += 1
        requests = sum(tally.requests.values())
        print(f"{minute}: {requests:,} requests, {len(tally.wrong)} wrong, {Condition.now(server)}", flush=True)
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
