"""Files of the state folder that only their owner may read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

# How long somebody else is waited for, and how often it is looked whether he is done, in seconds. A file is written in
# a moment; who takes longer is stopped, and would hold up all requests of whoever waits.
WAIT_SECONDS, LOOK_SECONDS = 1.0, 0.01


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Keep others who do the same from a folder's files between the reading and the writing of this one of them.

    It does not fail. Where somebody else has the folder for all of WAIT_SECONDS it goes on beside him and yields False.
    """
    with contextlib.ExitStack() as held:
        alone = True
        with contextlib.suppress(OSError):  # what cannot be locked cannot be written either, which is said there
            folder = os.open(path.parent, os.O_RDONLY)
            held.callback(os.close, folder)
            if alone := _take(folder):
                # Not left to the closing: a process that begins just now has the folder open for a moment, too.
                held.callback(fcntl.flock, folder, fcntl.LOCK_UN)
        yield alone


def _take(folder: int) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
        else:
            return True
        time.sleep(LOOK_SECONDS)


def replace(path: Path, data: bytes, *, lasting: bool = False) -> None:
    """Put a file in the place of another, whole at any time; nothing is left of one that fails. Raises OSError.

    A `lasting` one is on the disk when this returns, which may take long.
    """
    handle, fresh = tempfile.mkstemp(dir=path.parent, suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        Path(fresh).replace(path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise
