"""Events: sums of usage, and the choice that each belongs to."""

from __future__ import annotations

from app.events import ChoiceEvent, Retrying, TextDelta, Usage, placed


def test_usage():
    """Sums and differences are made count by count."""
    one, more = Usage(1, 2, 3, 4, 5), Usage(10, 20, 30, 40, 50)
    assert one + more == Usage(11, 22, 33, 44, 55)
    assert one + more - one == more


def test_text():
    """A piece of text stays the JSON that came, and is decoded for who wants to read it."""
    assert TextDelta(rb'"\u00e9\n"').text == "é\n"


def test_placed():
    """An event of one of several answers comes with its place; all others belong to the first."""
    one, other = Retrying("overloaded"), TextDelta(b'"a"')
    assert list(placed([one, ChoiceEvent(2, other)])) == [(0, one), (2, other)]
