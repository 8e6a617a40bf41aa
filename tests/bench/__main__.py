"""`python -m tests.bench [--quick] [--json FILE]`: measure, and print the table that `app/docs/benchmarks.md` shows."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import sys
import time
import traceback
from pathlib import Path

from app.version import __version__

from . import conversations, going_back, hosts, latency, ledger, stall, volume
from .figures import Report
from .place import Place

PARTS = ("latency", "conversations", "going_back", "ledger", "hosts", "volume", "stall")


def _measure(part: str, report: Report, place: Place, *, quick: bool) -> None:
    match part:
        case "latency":
            latency.measure(report, place, 3 if quick else 20)
        case "conversations":
            conversations.measure(report, place, turns=10, clients=8, spawned=8 if quick else 40)
        case "going_back":
            rounds, chats = (5, 80) if quick else (20, 400)
            going_back.measure(report, place, rounds=rounds, chats=chats, spawned=8 if quick else 40)
        case "ledger":
            ledger.measure(report, place, 100 if quick else 500)
        case "hosts":
            rounds, sessions, kills = (20, 5_000, 1) if quick else (100, 100_000, 5)
            hosts.measure(report, place, rounds, sessions, kills)
        case "volume":
            streams, seconds = (100, 5) if quick else (500, 20)
            volume.measure(report, place, chunks=200_000, streams=streams, seconds=seconds, idle=2000)
        case "stall":
            stall.measure(report, place, seconds=10 if quick else 30)


def main() -> None:
    """Run the parts asked for; exit status 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, in about three minutes")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part alone")
    given = parser.parse_args()
    quick = given.quick
    began = time.monotonic()
    report = Report()
    with Place() as place:
        version = place.version()
        for part in given.only or PARTS:
            try:
                _measure(part, report, place, quick=quick)
            except Exception:  # noqa: BLE001 - what was measured before is not lost
                traceback.print_exc()
                report.fail(part)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    about = (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, claude-max-api-proxy {__version__}, claude {version}, "
        f"Python {platform.python_version()}, {platform.system()} on {cores} cores, load {os.getloadavg()[0]:.1f}, "
        f"{time.monotonic() - began:.0f} s{', quick' if quick else ''}"
    )
    print(f"\n{about}\n\n{report.markdown()}")
    if given.json:
        given.json.write_text(json.dumps({"about": about, **report.json()}, indent=2))
    sys.exit(0 if all(target.met is not False for target in report.targets) else 1)


main()
