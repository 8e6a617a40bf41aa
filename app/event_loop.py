"""One event loop serves all requests: how long work lets the others go on, and what it leaves to a thread beside it.

Under gunicorn's gevent worker `time.sleep` is cooperative; where nothing is patched all this costs next to nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import TypeVar, cast

T = TypeVar("T")

# How long one piece of work may hold the loop, in seconds.
SLICE = 0.005
# How much of a text or of bytes is worked on between two pauses: a few milliseconds' worth for the slowest work.
PIECE = 256 * 1024

# Not 0: gevent runs up to a thousand greenlets that sleep so before it looks what the sockets have, in seconds.
MOMENT = 1e-4

_due = 0.0


def pause() -> None:
    """Let the others go on where work has held the loop for long enough; cheap enough for every turn of a loop."""
    global _due  # noqa: PLW0603 - there is one loop
    if time.monotonic() >= _due:
        time.sleep(MOMENT)
        _due = time.monotonic() + SLICE


def pieces(text: T, length: int = PIECE) -> Iterator[T]:
    """Yield a text, or bytes, piece by piece, with a pause after each."""
    for start in range(0, len(text), length):  # type: ignore[arg-type]
        yield text[start : start + length]  # type: ignore[index]
        pause()


def beside(work: Callable[[], T]) -> T:
    """Return what `work` does, in a native thread beside the loop where there is one.

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
    except Exception as error:  # noqa: BLE001 - whoever waits for it knows what to make of it
        return None, error


def _patched() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))
