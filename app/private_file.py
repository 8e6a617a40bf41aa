"""Files of the state folder that only their owner may read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep others who do the same from a file between its reading and its writing. It does not fail."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):  # what cannot be locked cannot be written either, which is said there
            lock = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
            held.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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
