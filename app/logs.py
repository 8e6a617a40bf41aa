"""Log lines: words for people on a terminal, JSON objects in a service; one record, one line, in both.

gunicorn's master loads this file by its path, before gevent patches the standard library, so it imports nothing else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import logging
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

FORMATS = ("auto", "text", "json")


# A log of this size, in bytes, is begun anew.
MAX_LOG_BYTES = 5 * 2**20


def init(level: str, form: str = "auto", file: Path | None = None) -> None:
    """Send this application's records to standard error from `level` on, once; `form` is one of FORMATS.

    `file` is the file that standard error goes to, where nobody else keeps it from growing.
    """
    logger = logging.getLogger("app")
    logger.setLevel(level)
    if not logger.handlers:
        target = logging.StreamHandler() if file is None else BoundedStream(file)
        target.setFormatter(formatter(form, target.stream))
        logger.addHandler(target)


def formatter(form: str, stream: TextIO) -> logging.Formatter:
    """Return what writes records to `stream`: by default lines for people on a terminal, and JSON elsewhere."""
    if form == "text" or (form != "json" and stream.isatty()):
        return TextLines()
    return JournalLines() if form != "json" and _is_journal(stream) else JsonLines()


class BoundedStream(logging.StreamHandler[TextIO]):
    """Writes to standard error, which goes to `file`; at MAX_LOG_BYTES the file's content moves to FILE.1.

    The file is copied and emptied, not renamed: whoever starts the server (launchd) and its other processes hold it
    open, for appending.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; a file that cannot be begun anew grows on."""
        super().emit(record)
        with contextlib.suppress(OSError):
            written = os.fstat(self.stream.fileno())
            if written.st_size >= MAX_LOG_BYTES and os.path.samestat(written, self._file.stat()):
                shutil.copy(self._file, f"{self._file}.1")
                os.truncate(self._file, 0)


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
        head = f"{self.formatTime(record)} {record.levelname} {_name(record)} {_printable(record.getMessage())}"
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
            "logger": _name(record),
            "message": line.words if line else record.getMessage(),
        }
        if traceback := _traceback(self, record):
            fields["exception"] = traceback
        first = ("ts", "level", "logger", "message")
        return json.dumps({**{key: fields[key] for key in first}, **fields}, default=str)


class JournalLines(JsonLines):
    """The same behind the priority by which the journal filters and colours (`journalctl -p warning`).

    https://www.freedesktop.org/software/systemd/man/sd-daemon.html
    """

    PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line behind its priority, which the journal takes off."""
        priority = next((number for level, number in self.PRIORITIES if record.levelno >= level), 7)
        return f"<{priority}>{super().format(record)}"


def _is_journal(stream: TextIO) -> bool:
    """Tell whether a stream is the journal's: systemd names its device and inode."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _name(record: logging.LogRecord) -> str:
    # gunicorn calls its log of everything its error log, which reads like a failure.
    return "gunicorn" if record.name == "gunicorn.error" else record.name


def _traceback(lines: logging.Formatter, record: logging.LogRecord) -> str:
    # Not by way of record.exc_text, in which another handler may have left it in its own form.
    parts = [lines.formatException(record.exc_info)] if record.exc_info and record.exc_info[0] else []
    parts += [record.stack_info] if record.stack_info else []
    return "\n".join(parts)


def _printable(text: str) -> str:
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode() for char in text
    )
