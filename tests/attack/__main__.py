"""`python -m tests.attack [NAME ...]`: try to make the server silent; status 1 when it was for more than 250 ms.

Everything happens on loopback, against a server of its own with a fake CLI, and ends by itself. The first row is what
the machine does to an idle server. Where that is much, a silence is the server's fault only if its worker used the
time: `CPU, ms` is the most that it took within one silence.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import psutil
from server import Server

from tests.bench.place import Place

from .attacks import ATTACKS
from .pulse import Pulse

FAKE = Path(__file__).parent.parent / "fake_claude.py"
LONGEST = 0.25
AFTERMATH_SECONDS = 1.5
# An idle server's longest silence on a machine with nothing else to do, at most.
QUIET = 0.05
IDLE = "nothing, for five seconds"
SETTINGS = {"CLAUDE_PROXY_MAX_CONCURRENCY": "16", "CLAUDE_PROXY_TIMEOUT": "20"}


def main() -> None:
    """Try all attacks, or those whose name has one of these words in it."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only the attacks with this in their name")
    given = parser.parse_args()
    chosen = [
        name for name in ATTACKS if name != IDLE and (not given.names or any(part in name for part in given.names))
    ]
    print("| attack | requests | answers | seconds | longest silence, ms | CPU, ms | machine, ms | memory, MB |")
    print("|---|---|---|---|---|---|---|---|")
    with Place() as place:
        server = place.server(FAKE, **SETTINGS)
        server.wait_for_spare()
        noise, _ = tried(server, IDLE)
        bad = [name for name in chosen if is_bad(*tried(server, name), quiet=noise < QUIET)]
    for name in bad:
        print(f"too long: {name}", file=sys.stderr)
    sys.exit(1 if bad else 0)


def is_bad(silence: float, held: float, *, quiet: bool) -> bool:
    """Tell whether a silence was too long, and not by the machine's fault."""
    return held > LONGEST or (quiet and silence > LONGEST)


def tried(server: Server, name: str) -> tuple[float, float]:
    """Try one attack and print its row; return the longest silence and the most CPU time in one, in seconds."""
    pulse = Pulse(server)
    worker, told = server.worker(), len(server.log)
    began = time.monotonic()
    outcome = ATTACKS[name](server)
    seconds = time.monotonic() - began
    # What the end of an attack costs is a part of it: thousands of connections close at once.
    time.sleep(AFTERMATH_SECONDS)
    silence, held, late = pulse.silence, pulse.held, pulse.late
    pulse.close()
    died = not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    memory = 0 if died else worker.memory_info().rss / 1e6
    answers = ", ".join(f"{number} x {answer}" for answer, number in sorted(outcome.items()))
    print(
        f"| {name} | {outcome.total()} | {answers}{' (worker died)' if died else ''} | {seconds:.1f} "
        f"| {silence * 1000:.0f} | {held * 1000:.0f} | {late * 1000:.0f} | {memory:.0f} |",
        flush=True,
    )
    if silence > LONGEST:
        # What the watchdog saw, for whoever is to mend it.
        for line in server.log[told:].splitlines():
            if "stood still" in line or "Error" in line:
                print(line, file=sys.stderr)
    server.wait(60)
    return (float("inf"), float("inf")) if died else (silence, held)


if __name__ == "__main__":
    main()
