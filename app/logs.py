"""Log lines: words for people on a terminal, JSON objects in a service; one record, one line, in both.

gunicorn's master loads this file by its path, before gevent patches the standard library, so it imports nothing else.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import logging
from collections.abc import Mapping
from typing import Any, TextIO

FORMATS = ("auto", "text", "json")


def init(level: str, form: str = "auto") -> None:
    """Send this application's records to standard error from `level` on, once; `form` is one of FORMATS."""
    logger = logging.getLogger("app")
    logger.setLevel(level)
    if not logger.handlers:
        target = logging.StreamHandler()
        target.setFormatter(formatter(form, target.stream))
        logger.addHandler(target)


def formatter(form: str, stream: TextIO) -> logging.Formatter:
    """Return what writes records to `stream`: by default lines for people on a terminal, and JSON elsewhere."""
    if form == "json" or (form != "text" and not stream.isatty()):
        return JsonLines()
    return TextLines()


@dataclasses.dataclass(frozen=True)
class Line:
    """A message whose facts are told once, as `key=value` to people and as fields to programs.

    Facts that are None are left out; `told` are those that the words tell already.
    """

    words: str
    facts: Mapping[str, object]
    told: Mapping[str, object] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        """Return the line for people."""
        return self.words + "".join(f" {key}={value}" for key, value in self.facts.items() if value is not None)

    def fields(self) -> dict[str, object]:
        """Return the facts for programs."""
        return {key: value for key, value in {**self.told, **self.facts}.items() if value is not None}


class TextLines(logging.Formatter):
    """Time, level, logger and message in a line; a traceback follows, indented."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text, in which nothing from outside can begin a line or colour a terminal."""
        head = f"{self.formatTime(record)} {record.levelname} {record.name} {_printable(record.getMessage())}"
        return "\n  ".join([head, *map(_printable, _traceback(self, record).splitlines())])


class JsonLines(logging.Formatter):
    """An object a line: ts (UTC), level, logger, message, the message's facts, and `exception` with a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON in ASCII, so that no reader can take a character of it for a line's end."""
        line = record.msg if isinstance(record.msg, Line) else None
        time = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        fields: dict[str, Any] = {
            **(line.fields() if line else {}),
            "ts": time.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": line.words if line else record.getMessage(),
        }
        if traceback := _traceback(self, record):
            fields["exception"] = traceback
        first = ("ts", "level", "logger", "message")
        return json.dumps({**{key: fields[key] for key in first}, **fields}, default=str)


def _traceback(lines: logging.Formatter, record: logging.LogRecord) -> str:
    # Not by way of record.exc_text, in which another handler may have left it in its own form.
    parts = [lines.formatException(record.exc_info)] if record.exc_info and record.exc_info[0] else []
    parts += [record.stack_info] if record.stack_info else []
    return "\n".join(parts)


def _printable(text: str) -> str:
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in text
    )
