"""Whether a process that was seen before still runs, and what it has started.

A number alone may belong to another process by now; so start times are compared.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

# How much two looks at the same start may differ, in seconds.
SAME_START_SECONDS = 2.0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def started(pid: int | None = None) -> float:
    """Return when a process began, by default this one, in seconds that setting the clock does not change.

    They compare with those of other processes, of this boot and of others. Raises psutil.Error.
    """
    return _start(psutil.Process(pid)) if pid is not None else _own_start(os.getpid())


@functools.cache
def _own_start(pid: int) -> float:
    # Asked once, so that this process knows itself again wherever it runs.
    return _start(psutil.Process(pid))


def _start(process: psutil.Process) -> float:
    if not psutil.LINUX:
        return float(process.create_time())
    # psutil adds the boot time, which moves when the clock is set. Read first: older versions remember it.
    boot = psutil.boot_time()
    return float(process.create_time()) - boot + _boot_offset()


@functools.cache
def _boot_offset() -> float:
    """Return a number that tells this boot from others: numbers of processes, and times since the boot, repeat."""
    try:
        return int(BOOT_ID.read_text()[:8], 16) * 1e4
    except (OSError, ValueError):
        return 0.0


def running(pid: int, began: float) -> bool:
    """Tell whether the process that began then still runs."""
    if pid == os.getpid():
        return abs(started() - began) < SAME_START_SECONDS
    try:
        process = psutil.Process(pid)
        same = abs(_start(process) - began) < SAME_START_SECONDS
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


@contextlib.contextmanager
def descendants_killed(pid: int, mark: Mapping[str, str] | None = None) -> Iterator[None]:
    """Kill, at the end, what a process has started by the beginning; its own end would hide whose they were.

    A `mark`, a variable of the process's environment, tells also what it has started since, or before it ended.
    """
    try:
        found = psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        found = []
    try:
        yield
    finally:
        for descendant in (*found, *(_marked(mark) if mark else ())):
            with contextlib.suppress(psutil.Error):
                descendant.kill()


def _marked(mark: Mapping[str, str]) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        # Other users' processes do not tell.
        with contextlib.suppress(psutil.Error, OSError):
            if mark.items() <= process.environ().items():
                yield process
