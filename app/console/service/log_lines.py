"""The lines of the service's log, made readable again: it writes an object a line."""

from __future__ import annotations

import datetime as dt
import json

FIRST = ("ts", "level", "logger", "message", "exception")


def readable(line: str) -> str:
    """Return a line for people; one that is no object of this server's log comes back as it is."""
    try:
        fields = json.loads(line)
        time = dt.datetime.fromisoformat(fields["ts"]).astimezone()
        head = f"{time:%Y-%m-%d %H:%M:%S} {fields['level']} {fields['logger']} {fields['message']}"
    except (ValueError, KeyError, TypeError):
        return line
    facts = "".join(f" {name}={value}" for name, value in fields.items() if name not in FIRST)
    traceback = "".join(f"\n  {part}" for part in str(fields.get("exception", "")).splitlines())
    return f"{head}{facts}{traceback}"
