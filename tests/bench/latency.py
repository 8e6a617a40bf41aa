"""Time to the first token, and what a request costs: the bare CLI and this server, turn about."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

from server import Server, until

from .bare import Timing, Warm, cold_full, cold_lean
from .figures import Report, median, p95
from .place import Place
from .served import WEATHER, Client, cpu, memory, proxy_memory

# So that what the one before started is not paid by the next.
REST = 0.25
SECTION = "time to first token, ms"


def measure(report: Report, place: Place, rounds: int) -> None:
    """Ask each way `rounds` times, alternating."""
    ways = _Ways(place)
    timings: dict[str, list[Timing]] = {name: [] for name in ways.ask}
    served: dict[str, set[str]] = {name: set() for name in ways.ask}
    for _ in range(rounds):
        for name, ask in ways.ask.items():
            ways.settle()
            timing, how = ask()
            timings[name].append(timing)
            served[name].add(how)
            time.sleep(REST)
    firsts = {name: [timing.first for timing in found] for name, found in timings.items()}
    for name, found in timings.items():
        figures = {
            "median": median(firsts[name]),
            "p95": p95(firsts[name]),
            "whole answer": median([timing.total for timing in found]),
        }
        if any(timing.cpu for timing in found):
            figures["CPU s"] = median([timing.cpu for timing in found])
        report.add(SECTION, name, **figures)
        expected = name.partition(", ")[0].removeprefix("server ")
        assert not name.startswith("server") or served[name] == {expected}, (name, served[name])
    middle = {name: median(values) for name, values in firsts.items()}
    over = middle["server spare, stream"] - middle["bare warm"]
    report.aim("spare over a bare warm CLI", "at most 15 ms", over, "ms", lambda ms: ms <= 15)
    ratio = middle["server spare, stream"] / middle["bare cold, seed's flags"]
    report.aim("spare to a cold start with the seed's flags", "at most 0.3", ratio, "", lambda part: part <= 0.3)
    over = middle["server kept, stream"] - middle["bare second turn"]
    report.aim("kept over a bare second turn", "at most 15 ms", over, "ms", lambda ms: ms <= 15)
    _costs(report, ways)


class _Ways:
    def __init__(self, place: Place) -> None:
        self._place = place
        self.api = place.api
        self._spare = place.server(CLAUDE_PROXY_KEEP="0")
        self._cold = place.server(CLAUDE_PROXY_KEEP="0", CLAUDE_PROXY_SPARES="0")
        self.keeping = place.server(CLAUDE_PROXY_SPARES="0")
        self._second = place.enter_context(contextlib.closing(self._warm()))
        self._second.ask("Hello!")
        self.kept = Client(self.keeping)
        self.kept.ask("Hello!")
        self._parked = Client(self.keeping, tools=[WEATHER])
        self.ask: dict[str, Callable[[], tuple[Timing, str]]] = {
            "bare cold, seed's flags": lambda: (cold_full(place.claude, place.env(), place.folder), ""),
            "bare cold, lean flags": lambda: (cold_lean(place.claude, place.env(), place.folder), ""),
            "server cold, stream": lambda: self._fresh(self._cold, stream=True),
            "bare warm": self._first,
            "server spare, stream": lambda: self._fresh(self._spare, stream=True),
            "server spare, whole": lambda: self._fresh(self._spare, stream=False),
            "bare second turn": lambda: (self._second.ask("And then?"), ""),
            "server kept, stream": lambda: (self.kept.ask("And then?"), self.kept.served),
            "server kept, whole": lambda: (self.kept.ask("And then?", stream=False), self.kept.served),
            "server parked, stream": self._resumed,
        }

    def settle(self) -> None:
        """Wait until nothing is being started any more."""
        self._spare.wait_for_spare()

    def _warm(self) -> Warm:
        return Warm(self._place.claude, self._place.env(), self._place.folder)

    def _first(self) -> tuple[Timing, str]:
        warm = self._warm()
        try:
            time.sleep(REST)
            return warm.ask("Hello!"), ""
        finally:
            warm.close()

    def _fresh(self, server: Server, *, stream: bool) -> tuple[Timing, str]:
        client = Client(server)
        return client.ask("Hello!", stream=stream), client.served

    def _resumed(self) -> tuple[Timing, str]:
        self._parked.messages.clear()
        self._parked.ask("What is there?")
        return self._parked.ask(*self._parked.results()), self._parked.served


def _costs(report: Report, ways: _Ways) -> None:
    """What a kept turn takes of the processor, a process of the memory, and the API of bytes."""
    before = cpu(ways.keeping)
    turns = 10
    for _ in range(turns):
        ways.kept.ask("And then?")
    after = cpu(ways.keeping)
    until(lambda: ways.keeping.slots() == (0, 0), what="quiet")
    children = ways.keeping.worker().children()
    section = "cost"
    report.add(section, "CPU of the proxy, a kept turn, ms", value=(after[0] - before[0]) / turns * 1000)
    report.add(section, "CPU of the CLI, a kept turn, ms", value=(after[1] - before[1]) / turns * 1000)
    report.add(section, "memory of a CLI process, MB", value=median([memory(child) for child in children]))
    report.add(section, "memory of the proxy, MB", value=proxy_memory(ways.keeping))
    sizes = [request.size for request in ways.api.requests if request.body and len(_turns(request.body)) == 1]
    report.add(section, "API request of a first turn, bytes", smallest=min(sizes), largest=max(sizes))


def _turns(body: dict[str, Any]) -> list[Any]:
    return [message for message in body["messages"] if message["role"] != "system"]
