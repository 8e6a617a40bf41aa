"""Moments as programs read them, and as people do."""

from __future__ import annotations

import contextlib
import datetime as dt


def written(unix: float) -> str | None:
    """Return a moment (unix seconds) in UTC, to the second, after ISO 8601; None where no calendar has it."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return dt.datetime.fromtimestamp(unix, dt.UTC).isoformat(timespec="seconds")
    return None


def local(unix: float) -> str:
    """Return a moment (unix seconds) on this machine's clock, to the minute, for people."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return dt.datetime.fromtimestamp(unix, dt.UTC).astimezone().strftime("%a %d %b %H:%M")
    return "a time that no calendar has"
