"""Whether a process that was seen before still runs, and what it has started.

A number alone may belong to another process by now; psutil compares start times.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator

import psutil

# psutil derives a start time from the boot time, which shifts with the clock: a little by itself, more where it is set.
SAME_START = 2.0


def started(pid: int | None = None) -> float:
    """Return when a process began, by default this one, in unix seconds. Raises psutil.Error."""
    return float(psutil.Process(pid).create_time()) if pid is not None else _own_start(os.getpid())


@functools.cache
def _own_start(pid: int) -> float:
    # Asked once, so that this process knows itself again after the clock was set.
    return float(psutil.Process(pid).create_time())


def running(pid: int, began: float) -> bool:
    """Tell whether the process that began then still runs."""
    if pid == os.getpid():
        return abs(started() - began) < SAME_START
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - began) < SAME_START
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


@contextlib.contextmanager
def descendants_killed(pid: int) -> Iterator[None]:
    """Kill, at the end, what a process has started by the beginning; its own end would hide whose they were."""
    try:
        found = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        found = []
    try:
        yield
    finally:
        for descendant in found:
            with contextlib.suppress(psutil.Error):
                descendant.kill()
