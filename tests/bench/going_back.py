"""What comes instead of the exact continuation: edits, answers asked for again, an agent's notes, new chats alike.

Beside it the seed's way: a process for each request, with the conversation as one text.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

from openclaw_prompts import prompt_2026_9
from server import Server, until

from app.claude.shelf.shelf import LINGER_SECONDS
from app.standin import Reply, Text, ToolUse

from .bare import cold_full, cold_lean
from .figures import Report, median
from .latency import TOOLS
from .place import Place
from .place import reply as usual_reply
from .served import WEATHER, Client, Costs, memory

EDITED = "a conversation edited: time to first token, ms"
LOOP = "OpenClaw's loop, 20 rounds with a changing note"
ALIKE = "new chats that begin alike, 8 at once"
TOLD = "history told to a spare"
NOTE = "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>\nIt is round {}."
ROUNDS = 20
QUESTION, ANSWER = "What of number {}, and how does it go on?", "Of number {} there is this to say, and it goes on."
# Whose edits were slower than the seed's way before processes went back.
LONG = (100, 400)


def measure(report: Report, place: Place, *, rounds: int, chats: int, spawned: int) -> None:
    """Edit `rounds` times at each length, and begin `chats` chats at once; `spawned` requests go the other way."""
    for turns in (0, 20, *LONG):
        _edited(report, place, turns, rounds)
    _loop(report, place)
    _told(report, place, rounds)
    _alike(report, place, chats, spawned)


def history(turns: int) -> list[dict[str, Any]]:
    """Return so many questions with their answers."""
    roles = (("user", QUESTION), ("assistant", ANSWER))
    return [{"role": role, "content": text.format(number)} for number in range(turns) for role, text in roles]


def _edited(report: Report, place: Place, turns: int, rounds: int) -> None:
    server = place.server()
    server.wait_for_spare()
    client = Client(server)
    client.messages = history(turns)
    told = client.ask("And now?").first
    first: dict[str, list[float]] = {"kept": [], "edited": [], "again": [], "the seed's way": []}
    prompt = "".join(f"{message['role']}: {message['content']}\n\n" for message in client.messages)
    for number in range(rounds):
        first["kept"].append(client.ask(f"And then, {number}?").first)
        assert client.served == "kept", client.served
        del client.messages[-2:]
        first["edited"].append(client.ask(f"And then, after all, {number}?").first)
        assert client.served == "rewound", client.served
        del client.messages[-1:]
        first["again"].append(client.ask().first)
        assert client.served == "rewound", client.served
        first["the seed's way"].append(cold_full(place.claude, place.env(), place.folder, f"{prompt}user: Well?").first)
    medians = {name: median(values) for name, values in first.items()}
    report.add(EDITED, f"after {turns} turns", **{"told anew": told}, **medians)
    if turns in LONG:
        for name in ("edited", "again"):
            ratio = medians[name] / medians["kept"]
            report.aim(f"{name} after {turns} turns, to kept", "at most 1.5", ratio, "", lambda part: part <= 1.5)
    server.kill()


def _loop(report: Report, place: Place) -> None:
    """Let an agent call a tool again and again; each of its requests ends in a note that the next one takes back.

    In turns with it a chat goes on exactly, with the same prompt and tools.
    """
    server = place.server()
    server.wait_for_spare()
    system = {"role": "system", "content": prompt_2026_9()}
    numbers = count()
    client, chat = Client(server, tools=[*TOOLS, WEATHER]), Client(server, tools=[*TOOLS, WEATHER], tool_choice="none")
    client.messages, chat.messages = [system], [system]
    chat.ask("Hello!")
    server.wait_for_spare()
    found: list[Any] = ["Look, and look again."]
    first, kept, served, starts = [], [], [], []
    for number in range(ROUNDS):
        note = {"role": "user", "content": NOTE.format(number)}
        place.api.reply = lambda _: Reply((Text("I look. "), ToolUse("look", {"number": next(numbers)})))
        first.append(client.ask(*found, note).first)
        served.append(client.served)
        client.messages.remove(note)
        found = client.results()
        starts.append(Costs.of(server).starts)
        place.api.reply = usual_reply
        kept.append(chat.ask(f"And then, {number}?").first)
    report.add(
        LOOP,
        "a round after the first",
        **{
            "first token, ms": median(first[1:]),
            "a kept turn's": median(kept),
            "rewound, part": served.count("rewound") / ROUNDS,
            # The spare that the first round took is replaced.
            "starts after the first round": starts[-1] - max(starts[0], 3),
        },
    )
    ratio = median(first[1:]) / median(kept)
    report.aim("OpenClaw's loop, to a kept turn", "at most 1.5", ratio, "", lambda part: part <= 1.5)
    started = starts[-1] - max(starts[0], 3)
    report.aim("OpenClaw's loop, starts after the first round", "none", started, "", lambda number: number <= 0)
    server.kill()


def _told(report: Report, place: Place, rounds: int) -> None:
    server = place.server(CLAUDE_PROXY_KEEP="0")
    for turns in LONG:
        with_history, without = [], []
        for _ in range(rounds):
            for messages, took in ((history(turns), with_history), ([], without)):
                until(server.is_whole, 30, "a spare")
                time.sleep(0.25)
                client = Client(server)
                client.messages = messages
                took.append(client.ask("And now?").first)
                assert client.served == "spare", client.served
        pair = (median(with_history) - median(without)) / turns
        report.add(TOLD, f"{turns} turns", **{"first token, ms": median(with_history), "ms a pair": pair})
        if turns == LONG[0]:
            report.aim("100 turns told to a spare, a pair", "at most 2.5 ms", pair, "ms", lambda ms: ms <= 2.5)
    server.kill()


def _alike(report: Report, place: Place, chats: int, spawned: int) -> None:
    clients = 8
    server = place.server()
    server.wait_for_spare()

    def begin(number: int) -> float:
        client = Client(server)
        client.messages = [{"role": "system", "content": "You are kind, and brief."}]
        return client.ask(f"Question {number}").first

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(begin, range(2 * clients)))  # the first ones start the processes
        until(lambda: _waits(server) == _living(server), 30, "rest")
        before, began = Costs.of(server), time.perf_counter()
        first = list(pool.map(begin, range(chats)))
        ours = chats / (time.perf_counter() - began)
        cost = Costs.of(server) - before
        began = time.perf_counter()
        timings = list(pool.map(lambda _: cold_full(place.claude, place.env(), place.folder), range(spawned)))
        theirs = spawned / (time.perf_counter() - began)
    start = median([cold_lean(place.claude, place.env(), place.folder).cpu for _ in range(3)])
    cpu = cost.cli / chats
    figures = {"requests/s": ours, "first token, ms": median(first), "CLI, CPU ms": 1000 * cpu, "starts": cost.starts}
    report.add(ALIKE, "this server", **figures)
    seed = {"requests/s": theirs, "first token, ms": median([timing.first for timing in timings])}
    report.add(ALIKE, "the seed's way", **seed, **{"CLI, CPU ms": 1000 * median([timing.cpu for timing in timings])})
    report.aim("new chats, against a process for each", "at least 6 times", ours / theirs, "times", lambda x: x >= 6)
    report.aim("CLI's CPU of a new chat, to a start's", "at most 0.15", cpu / start, "", lambda part: part <= 0.15)
    time.sleep(LINGER_SECONDS + 6)
    children = server.worker().children()
    megabytes = sum(map(memory, children))
    report.add("memory, MB", "all processes that wait after a burst of 8", value=megabytes, processes=len(children))
    report.aim("processes that wait after a burst of 8", "at most 6", len(children), "", lambda number: number <= 6)
    server.kill()


def _waits(server: Server) -> int:
    ready = server.get("/ready")[1]
    return ready["spares"]["ready"] + ready["kept"]["idle"]


def _living(server: Server) -> int:
    return len(server.children())
