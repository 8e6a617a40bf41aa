"""Moments as programs read them, and as people do."""

from __future__ import annotations

import contextlib
import datetime as dt


def written(unix: float) -> str | None:
    """Return a moment (unix seconds) in UTC, to the second, after ISO 8601; None where no calendar has it."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return dt.datetime.fromtimestamp(unix, dt.UTC).isoformat(timespec="seconds")
    return None


def local(unix: float, form: str = "%a %d %b %H:%M") -> str:
    """Return a moment (unix seconds) on this machine's clock, to the minute, for people; `form` is for `strftime`."""
    with contextlib.suppress(ValueError, OverflowError, OSError):
        return dt.datetime.fromtimestamp(unix, dt.UTC).astimezone().strftime(form)
    return "a time that no calendar has"
