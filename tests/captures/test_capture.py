"""What one capture holds, and within what bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.captures import capture as captures
from app.captures.capture import FORM, Capture, Head, read, read_head
from app.captures.redaction import Redaction
from app.records.record import RequestRecord

SECRET = "sk-cmap-0123456789abcdef0123456789"


def head(capture: Capture) -> Head:
    summary = RequestRecord("/v1/x", "POST").summary(running=False)
    return Head(FORM, summary, capture.headers, {}, dict(capture.left_out), {}, {})


@pytest.fixture
def capture() -> Capture:
    return Capture([("accept", "*/*")], Redaction([SECRET]))


def test_file(capture: Capture, tmp_path: Path) -> None:
    """A file gives back what was taken in, line by line, in order, and without credentials."""
    capture.add("body", f'{{"k": "{SECRET}"}}'.encode())
    capture.tap("outgoing", 7, b'{"a":1}\n{"b":2}\n')
    capture.tap("incoming", 7, b'{"c":"\xff"}')
    capture.add("sent", "data: \u2028\n\n".encode())
    path = tmp_path / "one.jsonl"
    path.write_bytes(capture.encoded(head(capture)))
    told, parts = read(path)
    assert told == read_head(path)
    assert told.headers == [("accept", "*/*")]
    assert [(part.kind, part.process, part.text) for part in parts] == [
        ("body", 0, '{"k": "[credential]"}'),
        ("outgoing", 7, '{"a":1}'),
        ("outgoing", 7, '{"b":2}'),
        ("incoming", 7, '{"c":"\\xff"}'),
        ("sent", 0, "data: \u2028\n\n"),
    ]
    assert SECRET.encode() not in path.read_bytes()


def test_another_version(capture: Capture, tmp_path: Path) -> None:
    """A file in a form that is not known is no capture."""
    path = tmp_path / "one.jsonl"
    path.write_bytes(capture.encoded(head(capture)).replace(b'"form":1', b'"form":9'))
    with pytest.raises(ValueError, match="another version"):
        read(path)


def test_bounds(capture: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too large is left out and counted; what is small still goes in, as long as there is room."""
    monkeypatch.setattr(captures, "MAX_CAPTURE", 1000)
    capture.add("body", b"x" * 900)
    capture.add("incoming", b"y" * 100)
    capture.add("incoming", b"y" * 600)
    for _ in range(100):
        capture.add("sent", b"z")
    assert [kind for kind, *_ in capture.parts] == ["incoming", "sent", "sent", "sent"]
    assert capture.left_out == {"body": 900, "incoming": 600, "sent": 97}
    assert capture.size <= 1000


def test_no_room() -> None:
    """Where others hold too much nothing is taken in, and nothing fails."""
    capture = Capture([], Redaction([]), lambda _: False)
    capture.add("body", b"x")
    assert (capture.parts, capture.left_out) == ([], {"body": 1})


def test_closed(capture: Capture) -> None:
    """A capture that is closed takes in no more: its process goes on with another request."""
    capture.close()
    capture.tap("incoming", 7, b"another's")
    assert (capture.parts, capture.left_out) == ([], {})
