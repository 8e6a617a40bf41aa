"""What clients see of a host's death: three servers with one database behind HAProxy, one of them killed under load."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from tests.postgres.engine import Engine
from tests.postgres.fronts import NAME, Front, kill_host, program_of, talk, wait_for_turns

from .figures import Report, median
from .place import FAST, Place

SECTION = "a host killed behind HAProxy"
HOSTS, TALKERS, STREAMS = 3, 12, 9
# Longer than a round takes: they end with their host, or with their client.
STREAM = "paced 100000 10"


def measure(report: Report, place: Place, engine: Engine, rounds: int) -> None:
    """Kill a host so many times while sessions go on and streams run; without HAProxy there is nothing to measure."""
    if program_of("haproxy") is None:
        print(f"  {SECTION}: HAProxy is not installed")
        return
    given = {"CLAUDE_PROXY_DATABASE": engine.create(), "CLAUDE_PROXY_ALLOWED_HOSTS": NAME}
    given |= {"CLAUDE_PROXY_MAX_CONCURRENCY": "32"}
    servers = [place.server(FAST, **given) for _ in range(HOSTS)]
    gaps: list[float] = []
    ends: list[float] = []
    wrong = {"lost": 0, "twice": 0, "strange": 0}
    turns = open_ends = 0
    with tempfile.TemporaryDirectory(prefix="front-") as folder, Front("haproxy", servers, Path(folder)) as front:
        for round_number in range(rounds):
            with front.opened(STREAM, b'"@', STREAMS) as opened:
                talkers = talk(front, [f"talk-{round_number}-{number}" for number in range(TALKERS)])
                victim = opened[0].server
                kill_host(victim)
                killed = time.monotonic()
                for stream in opened:
                    if stream.server is victim:
                        open_ends += not stream.breaks_off()
                        ends.append(time.monotonic() - killed)
                wait_for_turns(talkers, 3)
            for talker in talkers:
                for name, questions in talker.end().items():
                    wrong[name] += len(questions)
                turns += len(talker.asked)
                gaps.append(talker.seconds_to_answer(killed))
            at = servers.index(victim)
            servers[at] = place.server(FAST, PORT=str(victim.port), **given)
            front.wait_for(servers[at])
    report.add(SECTION, "its streams' ends, s", median=median(ends), longest=max(ends), streams=len(ends))
    report.add(SECTION, "a session's next answer, s", median=median(gaps), longest=max(gaps), sessions=len(gaps))
    report.add(SECTION, "turns of these sessions", turns=turns, **wrong)
    report.aim("turns lost with a host", "none", wrong["lost"], "", _none)
    report.aim("turns stored twice", "none", wrong["twice"] + wrong["strange"], "", _none)
    report.aim("requests after a kill, answered by others", "within 2 s", max(gaps), "s", lambda gap: gap <= 2)
    report.aim("streams on a killed host end", "within 0.5 s", max(ends), "s", lambda end: end <= 0.5)
    report.aim("those of them that seem whole", "none", open_ends, "", _none)


def _none(number: float) -> bool:
    return number == 0
