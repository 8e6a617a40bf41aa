"""Sharing the one event loop: long work pauses for others, and work that blocks runs in a thread beside the loop.

Under gunicorn's gevent worker `time.sleep` is cooperative; where nothing is patched all this costs next to nothing.
"""

from __future__ import annotations

import collections
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar, cast

T = TypeVar("T")

# How long one piece of work may hold the loop, in seconds.
SLICE_SECONDS = 0.005
# How much of a text or of bytes is worked on between two pauses: a few milliseconds' worth for the slowest work.
PIECE_LENGTH = 256 * 1024

# Not 0: gevent runs up to a thousand greenlets that sleep so before it looks what the sockets have, in seconds.
MOMENT_SECONDS = 1e-4

_due = 0.0
# The work that waits in line for a slice; a gate opens when its work is the first.
_line: collections.deque[threading.Lock] = collections.deque()


def pause() -> None:
    """Let others run if work has held the loop for SLICE_SECONDS. It is cheap enough for every round of a loop."""
    global _due  # noqa: PLW0603 - there is one loop
    if time.monotonic() >= _due:
        time.sleep(MOMENT_SECONDS)
        _due = time.monotonic() + SLICE_SECONDS


def pause_in_line() -> None:
    """Do the same where thousands may arrive at once, such as at the beginning of a request.

    If all of them slept, one turn of the loop would wake them all, and they would run one behind the other, with nobody
    between them. Each waits for the one before it instead, which costs every one of them some turns of the loop.
    """
    if time.monotonic() < _due:
        return
    gate = threading.Lock()
    gate.acquire()
    _line.append(gate)
    try:
        if _line[0] is not gate:
            gate.acquire()
        pause()
    finally:
        first = _line[0] is gate
        _line.remove(gate)
        if first and _line:
            _line[0].release()


def pieces(text: T, length: int = PIECE_LENGTH) -> Iterator[T]:
    """Yield a text, or bytes, piece by piece, with a pause after each."""
    for start in range(0, len(text), length):  # type: ignore[arg-type]
        yield text[start : start + length]  # type: ignore[index]
        pause()


def beside(work: Callable[[], T]) -> T:
    """Run `work` and return its result: in a native thread beside the event loop, if there is a loop.

    It must not touch what gevent has patched: no locks, sockets or sleeps.
    """
    gevent = sys.modules.get("gevent")  # the worker has imported it, or there is no loop
    if gevent is None or not _patched():
        return work()
    # Raised here: gevent would print what is raised there.
    found, error = gevent.get_hub().threadpool.apply(_attempt, (work,))
    if error is not None:
        raise error
    return cast("T", found)


def _attempt(work: Callable[[], T]) -> tuple[T | None, Exception | None]:
    try:
        return work(), None
    except Exception as error:  # noqa: BLE001 - raised again in the caller
        return None, error


def _patched() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))
