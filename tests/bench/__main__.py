"""`python -m tests.bench [--quick] [--json FILE]`: measure, and print the table that `app/docs/benchmarks.md` shows."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import sys
import time
from pathlib import Path

from app.version import __version__

from . import conversations, going_back, latency, stall, volume
from .figures import Report
from .place import Place

PARTS = ("latency", "conversations", "going_back", "volume", "stall")


def main() -> None:
    """Run the parts asked for; exit status 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, in about three minutes")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--only", choices=PARTS, action="append", help="measure this part alone")
    given = parser.parse_args()
    parts, quick = given.only or PARTS, given.quick
    began = time.monotonic()
    report = Report()
    with Place() as place:
        version = place.version()
        if "latency" in parts:
            latency.measure(report, place, 3 if quick else 20)
        if "conversations" in parts:
            conversations.measure(report, place, turns=10, clients=8, spawned=8 if quick else 40)
        if "going_back" in parts:
            rounds, chats = (5, 80) if quick else (20, 400)
            going_back.measure(report, place, rounds=rounds, chats=chats, spawned=8 if quick else 40)
        if "volume" in parts:
            streams, seconds = (100, 5) if quick else (500, 20)
            volume.measure(report, place, chunks=200_000, streams=streams, seconds=seconds, idle=2000)
        if "stall" in parts:
            stall.measure(report, place, seconds=10 if quick else 30)
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
