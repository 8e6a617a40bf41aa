"""`python -m tests.attack [NAME ...]`: try to make the server silent; status 1 when it was for more than 250 ms.

Everything happens on loopback, against a server of its own with a fake CLI, and ends by itself.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from pathlib import Path

import psutil

from tests.bench.place import Place

from .attacks import ATTACKS
from .pulse import Pulse

FAKE = Path(__file__).parent.parent / "fake_claude.py"
LONGEST = 0.25
SETTINGS = {"CLAUDE_PROXY_MAX_CONCURRENCY": "16", "CLAUDE_PROXY_TIMEOUT": "20"}


def main() -> None:
    """Try all attacks, or those whose name has one of these words in it."""
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only the attacks with this in their name")
    given = parser.parse_args()
    chosen = [name for name in ATTACKS if not given.names or any(part in name for part in given.names)]
    print("| attack | requests | answers | seconds | longest silence, ms | machine, ms | memory, MB |")
    print("|---|---|---|---|---|---|---|")
    failed = False
    with Place() as place:
        server = place.server(FAKE, **SETTINGS)
        for name in chosen:
            pulse = Pulse(server.port)
            worker, told = server.worker(), len(server.log)
            began = time.monotonic()
            outcome = ATTACKS[name](server)
            seconds = time.monotonic() - began
            with contextlib.suppress(AssertionError):
                time.sleep(0.3)
            silence, late = pulse.silence, pulse.late
            pulse.close()
            died = not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
            memory = 0 if died else worker.memory_info().rss / 1e6
            failed = failed or silence > LONGEST or died
            answers = ", ".join(f"{number} x {answer}" for answer, number in sorted(outcome.items()))
            print(
                f"| {name} | {outcome.total()} | {answers}{' (worker died)' if died else ''} | {seconds:.1f} "
                f"| {'**' if silence > LONGEST else ''}{silence * 1000:.0f} | {late * 1000:.0f} | {memory:.0f} |",
                flush=True,
            )
            if silence > LONGEST:
                # What the watchdog saw, for whoever is to mend it.
                for line in server.log[told:].splitlines():
                    if "stood still" in line or "Error" in line:
                        print(line, file=sys.stderr)
            server.wait(60)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
