"""An answer ends before a stop sequence, and no part of one gets out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.claude.turn.stops import Stops

LETTERS = st.text("abE", max_size=30)


@given(LETTERS, st.lists(st.text("abE", min_size=1, max_size=4), max_size=3), st.data())
def test_any_cut(text, stops, data):
    """Wherever the pieces cut the text, what comes out is the text up to the first stop sequence, and all of it."""
    pieces, rest = [], text
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        pieces.append(rest[:size])
        rest = rest[size:]
    looking = Stops(tuple(stops))
    out = ""
    for piece in pieces:
        out += looking.feed(piece)
        # Of two that overlap the one counts that is complete first.
        hits = [(text.find(stop) + len(stop), text.find(stop)) for stop in stops if stop in text]
        assert text[: min(hits, default=(0, len(text)))[1]].startswith(out)
        if looking.found is not None:
            break
    else:
        out += looking.flush()
    assert (looking.found is not None) == any(stop in text for stop in stops)
    if looking.found is not None:
        # Up to where the sequence begins that was found, and none is complete before.
        assert looking.found in stops
        assert text.startswith(looking.found, len(out))
        assert not any(stop in out for stop in stops)
    else:
        assert out == text


def test_held_back():
    """The beginning of a stop sequence waits for the piece that decides."""
    looking = Stops(("END",))
    assert looking.feed("a E") == "a "
    assert looking.feed("N") == ""
    assert looking.feed("x") == "ENx"
    assert looking.feed("EN") == ""
    assert looking.feed("D more") == ""
    assert looking.found == "END"
