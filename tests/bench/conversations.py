"""Ten-turn conversations side by side: this server, and a process started for each request."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from .bare import cold_full
from .figures import Report
from .place import Place
from .served import Client

SECTION = "conversations side by side"


def measure(report: Report, place: Place, *, turns: int, clients: int, spawned: int) -> None:
    """Run `clients` conversations of `turns` turns; and `spawned` requests the other way, as many at once."""
    server = place.server(CLAUDE_PROXY_KEEP=str(clients), CLAUDE_PROXY_MAX_CONCURRENCY=str(2 * clients))
    server.wait_for_spare()
    with ThreadPoolExecutor(clients) as pool:
        began = time.perf_counter()
        served = [how for found in pool.map(lambda _: _converse(server, turns), range(clients)) for how in found]
        ours = len(served) / (time.perf_counter() - began)
        began = time.perf_counter()
        history = "".join("User: And then?\n\nAssistant: One two three.\n\n" for _ in range(turns // 2))
        list(pool.map(lambda _: cold_full(place.claude, place.env(), place.folder, history + "Hello!"), range(spawned)))
        theirs = spawned / (time.perf_counter() - began)
    kept = served.count("kept") / len(served)
    report.add(SECTION, f"{clients} of {turns} turns, this server", **{"requests/s": ours, "kept, part": kept})
    report.add(SECTION, "a process started for each", **{"requests/s": theirs})
    report.aim(
        "conversations, against a process for each", "at least 5 times", ours / theirs, "times", lambda x: x >= 5
    )


def _converse(server: object, turns: int) -> list[str]:
    client = Client(server)  # type: ignore[arg-type]
    served = []
    for number in range(turns):
        client.ask(f"Question {number}")
        served.append(client.served)
    return served
