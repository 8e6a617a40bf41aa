"""Time to the first token, and what a request costs: the bare CLI and this server, turn about."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from server import Server

from .bare import Timing, Warm, cold_full, cold_lean
from .figures import Report, median, p95
from .place import Place
from .served import WEATHER, Client, Costs, memory, proxy_memory

# So that what one question started is paid by nobody else, in seconds. A process takes half a second to start.
REST, START = 0.25, 0.75
SECTION = "time to first token, ms"
# An agent's tools, of the size that agents' tools have.
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": f"tool_{number}",
            "description": "What this one does. " * 20,
            "parameters": {"type": "object", "properties": {"path": {"type": "string", "description": "Where. " * 40}}},
        },
    }
    for number in range(12)
]


@dataclasses.dataclass
class Way:
    """One way to ask, and what it took: `prepare` is not measured."""

    name: str
    ask: Callable[[], Timing]
    server: Server | None = None
    prepare: Callable[[], object] = lambda: None
    timings: list[Timing] = dataclasses.field(default_factory=list)
    costs: list[Costs] = dataclasses.field(default_factory=list)
    sent: list[int] = dataclasses.field(default_factory=list)

    @property
    def first(self) -> float:
        """The median of the time to the first token."""
        return median([timing.first for timing in self.timings])


def measure(report: Report, place: Place, rounds: int) -> None:
    """Ask each way `rounds` times, in turns, each time in another order: what went before leaves traces."""
    ways = list(_ways(place))
    for _ in range(rounds):
        for way in random.sample(ways, len(ways)):
            way.prepare()
            before = Costs.of(way.server) if way.server else None
            known = len(place.api.requests)
            way.timings.append(way.ask())
            _settle(way.server)
            if before is not None and way.server is not None:
                way.costs.append(Costs.of(way.server) - before)
            way.sent.append(sum(request.size for request in place.api.requests[known:]))
    for way in ways:
        _tell(report, way)
    _aims(report, {way.name: way.first for way in ways})
    keeping = next(way.server for way in ways if way.name == "server kept, stream")
    assert keeping is not None
    processes = [memory(child) for child in keeping.worker().children()]
    report.add("memory, MB", "a CLI process after a few turns", value=median(processes))
    report.add("memory, MB", "the proxy that keeps them", value=proxy_memory(keeping))


def _tell(report: Report, way: Way) -> None:
    firsts = [timing.first for timing in way.timings]
    figures = {
        "median": median(firsts),
        "p95": p95(firsts),
        "whole answer": median([timing.total for timing in way.timings]),
        "bytes to the API": median(way.sent),
    }
    # Their clock ticks in hundredths of a second, so that only a mean says something.
    count = len(way.timings)
    if way.server is None:
        figures["CLI, CPU ms"] = 1000 * sum(timing.cpu for timing in way.timings) / count
    else:
        figures["CLI, CPU ms"] = 1000 * sum(cost.cli for cost in way.costs) / count
        figures["proxy, CPU ms"] = 1000 * sum(cost.proxy for cost in way.costs) / count
        figures["starts"] = sum(cost.starts for cost in way.costs) / count
    report.add(SECTION, way.name, **figures)


def _aims(report: Report, first: dict[str, float]) -> None:
    over = first["server spare, stream"] - first["bare warm"]
    report.aim("spare over a bare warm CLI", "at most 15 ms", over, "ms", lambda ms: ms <= 15)
    ratio = first["server spare, stream"] / first["bare cold, seed's flags"]
    report.aim("spare to a cold start with the seed's flags", "at most 0.3", ratio, "", lambda part: part <= 0.3)
    ratio = first["server reused, stream"] / first["bare warm"]
    report.aim("reused to a bare warm CLI", "at most 0.9", ratio, "", lambda part: part <= 0.9)
    over = first["server kept, stream"] - first["bare second turn"]
    report.aim("kept over a bare second turn", "at most 15 ms", over, "ms", lambda ms: ms <= 15)


def _settle(server: Server | None) -> None:
    """Wait until nothing is being started or ended any more, and ask seldom: that costs, too."""
    time.sleep(REST)
    while server is not None and not server.is_whole():
        time.sleep(START)


def _ways(place: Place) -> Iterator[Way]:
    """Yield the ways, in the order in which they are asked and shown."""
    cold = place.server(CLAUDE_PROXY_KEEP="0", CLAUDE_PROXY_SPARES="0")
    spare = place.server(CLAUDE_PROXY_KEEP="0")
    reused = place.server(CLAUDE_PROXY_SPARES="0")
    keeping, parking = (place.server(CLAUDE_PROXY_SPARES="0") for _ in range(2))
    yield Way("bare cold, seed's flags", lambda: cold_full(place.claude, place.env(), place.folder))
    yield Way("bare cold, lean flags", lambda: cold_lean(place.claude, place.env(), place.folder))
    yield _fresh(cold, "cold", stream=True)
    yield _fresh(cold, "cold", stream=False)
    yield _warm(place)
    yield _fresh(spare, "spare", stream=True)
    yield _fresh(spare, "spare", stream=False)
    yield _fresh(spare, "spare", stream=True, tools=TOOLS)
    for fields in ({}, {"tools": TOOLS}):
        Client(reused, **fields).ask("Hello!")
    yield _fresh(reused, "reused", stream=True)
    yield _fresh(reused, "reused", stream=False)
    yield _fresh(reused, "reused", stream=True, tools=TOOLS)
    second = place.enter_context(contextlib.closing(Warm(place.claude, place.env(), place.folder)))
    second.ask("Hello!")
    yield Way("bare second turn", lambda: second.ask("And then?"))
    talk = Client(keeping)
    talk.ask("Hello!")
    yield _following(keeping, talk, stream=True)
    yield _following(keeping, talk, stream=False)
    yield _resumed(parking, stream=True)
    yield _resumed(parking, stream=False)


def _fresh(server: Server, served: str, *, stream: bool, tools: list[Any] | None = None) -> Way:
    fields = {} if tools is None else {"tools": tools}

    def ask() -> Timing:
        client = Client(server, **fields)
        timing = client.ask("Hello!", stream=stream)
        assert client.served == served, client.served
        return timing

    return Way(_name(served, stream=stream, more=", 12 tools" if tools else ""), ask, server)


def _warm(place: Place) -> Way:
    """Return the way of a CLI that was started in advance and is asked without a server.

    Like a spare it is started when the one before was taken, and has waited as long: one that has just started has
    its memory at hand, and is quicker.
    """
    waiting = [Warm(place.claude, place.env(), place.folder)]

    def close() -> None:
        waiting[0].close()

    place.callback(close)

    def ask() -> Timing:
        with contextlib.closing(waiting[0]) as warm:
            timing = warm.ask("Hello!")
        waiting[0] = Warm(place.claude, place.env(), place.folder)
        return timing

    return Way("bare warm", ask)


def _following(server: Server, talk: Client, *, stream: bool) -> Way:
    def ask() -> Timing:
        timing = talk.ask("And then?", stream=stream)
        assert talk.served == "kept", talk.served
        return timing

    return Way(_name("kept", stream=stream), ask, server)


def _resumed(server: Server, *, stream: bool) -> Way:
    client = Client(server, tools=[WEATHER])

    def prepare() -> None:
        client.messages.clear()
        client.ask("What is there?")
        time.sleep(REST)

    def ask() -> Timing:
        timing = client.ask(*client.results(), stream=stream)
        assert client.served == "parked", client.served
        return timing

    return Way(_name("parked", stream=stream), ask, server, prepare)


def _name(served: str, *, stream: bool, more: str = "") -> str:
    return f"server {served}, {'stream' if stream else 'whole'}{more}"
