"""Files of the state folder that only their owner may read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


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
