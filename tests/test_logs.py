"""Log lines for people and for programs: one record, one line, and nothing from outside makes another."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest

from app import logs
from app.logs import BoundedStream, JournalLines, JsonLines, Line, TextLines, formatter

NASTY = "x\n2026-01-01 INFO forged\r\x1b[31m\u2028\x85\x00\ud800y"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def record(message, *args, exc_info=None, level=logging.INFO):
    return logging.LogRecord("app.request", level, __file__, 1, message, args, exc_info)


def failure(text):
    """Return the exc_info of an error with this text."""
    try:
        int(text, base=1)
    except ValueError as error:
        error.args = (text,)
        return sys.exc_info()


def test_choice():
    """A terminal gets lines for people and anything else gets JSON, unless the setting says otherwise."""
    kinds = {
        (form, terminal): type(formatter(form, Terminal() if terminal else io.StringIO()))
        for form in ("auto", "text", "json")
        for terminal in (True, False)
    }
    assert kinds == {
        ("auto", True): TextLines,
        ("auto", False): JsonLines,
        ("text", True): TextLines,
        ("text", False): TextLines,
        ("json", True): JsonLines,
        ("json", False): JsonLines,
    }


def test_facts_once():
    """The same line tells its facts as words to people and as fields, with their types, to programs."""
    line = Line("GET /x", {"status": 200, "ms": 1.5, "error": None, "id": "req_1"}, told={"method": "GET"})
    assert TextLines().format(record(line)).endswith("INFO app.request GET /x status=200 ms=1.5 id=req_1")
    fields = json.loads(JsonLines().format(record(line)))
    assert list(fields)[:4] == ["ts", "level", "logger", "message"]
    assert fields.pop("ts").endswith("Z")
    assert fields == {
        "level": "INFO",
        "logger": "app.request",
        "message": "GET /x",
        "method": "GET",
        "status": 200,
        "ms": 1.5,
        "id": "req_1",
    }


def test_facts_do_not_shadow():
    """A fact cannot take the place of what every line has."""
    fields = json.loads(JsonLines().format(record(Line("words", {"level": "LOUD", "message": "x"}))))
    assert (fields["level"], fields["message"]) == ("INFO", "words")


def test_time():
    """The time is UTC in ISO form, to the millisecond."""
    given = record("x")
    given.created = 0.25
    assert json.loads(JsonLines().format(given))["ts"] == "1970-01-01T00:00:00.250Z"


@pytest.mark.parametrize("message", ["plain %s", Line("words", {"fact": NASTY})])
@pytest.mark.parametrize("lines", [TextLines, JsonLines])
def test_no_forged_lines(lines, message):
    """Whatever a record quotes, it stays one line of printable characters."""
    text = lines().format(record(message, *([NASTY] if message == "plain %s" else [])))
    assert text.splitlines() == [text]
    assert text.isprintable()
    text.encode()


def test_traceback_in_a_field():
    """For programs a traceback is a field of the same object."""
    text = JsonLines().format(record("failed", exc_info=failure(NASTY)))
    assert text.splitlines() == [text]
    fields = json.loads(text)
    assert fields["message"] == "failed"
    assert fields["exception"].startswith("Traceback")
    assert "ValueError" in fields["exception"]


def test_traceback_for_people():
    """For people a traceback follows its line, each of its own lines set in, so that none looks like a record."""
    first, *rest = TextLines().format(record("failed", exc_info=failure(NASTY))).split("\n")
    assert first.endswith("failed")
    assert rest[0] == "  Traceback (most recent call last):"
    assert all(line.startswith("  ") and line.isprintable() for line in rest)
    assert any("forged" in line for line in rest)


def test_other_formatters_leave_no_trace():
    """A traceback that another formatter has left on the record in its own form is not taken over."""
    given = record("failed", exc_info=failure("x"))
    given.exc_text = "2026 INFO forged"
    for lines in (TextLines(), JsonLines()):
        assert "forged" not in lines.format(given)


def test_journal(monkeypatch, tmp_path):
    """Where standard error is the journal's, each line has the journal's priority; another file's lines have none."""
    with (tmp_path / "journal").open("w") as journal, (tmp_path / "other").open("w") as other:
        status = (tmp_path / "journal").stat()
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        assert type(formatter("auto", journal)) is JournalLines
        assert type(formatter("auto", other)) is type(formatter("json", journal)) is JsonLines
    lines = {level: JournalLines().format(record("x", level=level)) for level in (10, 20, 30, 40, 50)}
    assert [line[:4] for line in lines.values()] == ["<7>{", "<6>{", "<4>{", "<3>{", "<2>{"]
    assert json.loads(lines[30][3:])["level"] == "WARNING"


def test_name_of_gunicorn():
    """gunicorn's log of everything does not read like one of errors."""
    given = record("Listening")
    given.name = "gunicorn.error"
    assert json.loads(JsonLines().format(given))["logger"] == "gunicorn"
    assert "INFO gunicorn Listening" in TextLines().format(given)


def test_the_file_is_bounded(tmp_path, monkeypatch):
    """At its size the file moves aside and is begun anew, and whoever else holds it open goes on appending."""
    file = tmp_path / "server.log"
    monkeypatch.setattr(logs, "MAX_LOG_BYTES", 100)
    with file.open("a") as ours, file.open("a") as others:
        stream = BoundedStream(file)
        stream.setStream(ours)
        for number in range(3):
            stream.emit(record(f"{number}" * 60))
        others.write("gunicorn's\n")
        others.flush()
    assert (tmp_path / "server.log.1").read_text() == "0" * 60 + "\n" + "1" * 60 + "\n"
    assert file.read_text() == "2" * 60 + "\ngunicorn's\n"


def test_another_file_is_left_alone(tmp_path, monkeypatch):
    """A file that standard error does not go to is not emptied."""
    file = tmp_path / "other"
    file.write_text("x" * 200)
    monkeypatch.setattr(logs, "MAX_LOG_BYTES", 100)
    with (tmp_path / "log").open("a") as ours:
        stream = BoundedStream(file)
        stream.setStream(ours)
        stream.emit(record("y" * 200))
    assert file.read_text() == "x" * 200
