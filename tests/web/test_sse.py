"""When the headers go, when a heartbeat goes, and how an error ends a stream."""

from __future__ import annotations

import time

import pytest

from app.errors import Overloaded, ProxyError
from app.events import ChoiceEvent, Retrying, TextDelta, TurnStart
from app.web import sse

START, TEXT, RETRY = TurnStart("m"), TextDelta(b'"a"'), Retrying("overloaded")


class Dialect:
    """Writes what happens in one letter each."""

    def feed(self, batch):
        if any(isinstance(event, Retrying) for event in batch):
            return b""
        return b"x" * len(batch)

    def heartbeat(self):
        return b"~"

    def error(self, error):
        return f"[{error.code or error.message}]".encode()


def scripted(*steps):
    """Yield batches, wait for numbers, raise errors; note in `seen` how many batches were taken."""
    for step in steps:
        if isinstance(step, Exception):
            raise step
        if isinstance(step, float):
            time.sleep(step)
        else:
            yield step


def written(batches, heartbeat=10, note=None, early=()):
    """Return the writes of a stream."""
    return list(sse.body(list(early), batches, Dialect(), heartbeat, note=note or [].append))


def test_hold_keeps_everything():
    """Held events come in order, none lost and none taken too early."""
    batches = scripted([], [RETRY], [START, TEXT], [TEXT], [])
    assert sse.hold(batches) == [RETRY, START, TEXT]
    assert list(batches) == [[TEXT], []]


def test_hold_waits_only_for_the_first_event():
    """What comes after the first event is not waited for."""
    began = time.monotonic()
    assert sse.hold(scripted([], [START], 5.0, [TEXT])) == [START]
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("before", [[], [[]], [[RETRY]], [[ChoiceEvent(1, RETRY)]], [[], [RETRY], []]])
def test_hold_raises(before):
    """A failure before the first event is raised: the request keeps its own status."""
    with pytest.raises(Overloaded):
        sse.hold(scripted(*before, Overloaded("busy")))


def test_failure_after_the_first_event():
    """A later failure is not raised by holding."""
    batches = scripted([START], Overloaded("busy"))
    assert sse.hold(batches) == [START]
    with pytest.raises(Overloaded):
        next(batches)


@pytest.mark.parametrize(("first", "least"), [([], 0.1), ([RETRY], 0.4)])
def test_grace(monkeypatch, first, least):
    """A silent turn is held for the grace, one that is being tried again for longer, and not for ever."""
    monkeypatch.setattr(sse, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(sse, "LONG_GRACE_SECONDS", 0.4)

    def silent():
        yield first
        while True:
            time.sleep(0.01)
            yield []

    began = time.monotonic()
    sse.hold(silent())
    assert least <= time.monotonic() - began < least + 5


def test_grace_with_a_fallback(monkeypatch):
    """Where another model may answer, it is held until that one has had its time."""
    monkeypatch.setattr(sse, "GRACE_SECONDS", 0)
    monkeypatch.setattr(sse, "LONG_GRACE_SECONDS", 30)
    assert sse.hold(scripted([], [RETRY], [], [START]), falls_back=True) == [RETRY, START]
    assert sse.hold(scripted([], [RETRY], [], [START])) == []


def test_body():
    """What was held goes at once, then one write a batch, and none for nothing."""
    assert written(scripted([], [RETRY], [TEXT]), early=[START, TEXT]) == [b"xx", b"x"]


@pytest.mark.parametrize("early", [[], [RETRY]])
def test_silence_is_not_waited_for(early):
    """Where the grace has passed without a word, a sign of life goes at once."""
    assert next(sse.body(early, scripted(5.0), Dialect(), 10, note=[].append)) == b"~"


def test_heartbeat():
    """After so much silence a heartbeat goes, then again; an answer postpones it."""
    steps = [[], 0.06, [], 0.06, [], [TEXT], 0.01, [], 0.06, [RETRY]]
    assert written(scripted(*steps), 0.05, early=[START]) == [b"x", b"~", b"~", b"x", b"~"]


def test_heartbeats_are_counted():
    """Each heartbeat is told, and nothing else is."""
    beats = []
    steps = [[], 0.06, [], 0.06, [], [TEXT]]
    list(sse.body([START], scripted(*steps), Dialect(), 0.05, note=[].append, beat=lambda: beats.append(1)))
    assert len(beats) == 2


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Overloaded("busy"), b"[overloaded]"),
        (KeyError("secret"), b"[The server failed; its log has the reason.]"),
    ],
)
def test_error(error, told, caplog):
    """An error ends the stream in the dialect's words and is noted; an unforeseen one keeps its text in the log."""
    noted = []
    assert written(scripted([TEXT], error), note=noted.append, early=[START]) == [b"x", b"x", told]
    assert [isinstance(note, ProxyError) for note in noted] == [True]
    assert ("secret" in caplog.text) is isinstance(error, KeyError)
