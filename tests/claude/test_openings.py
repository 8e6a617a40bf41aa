"""Which openings are worth a process that waits with them."""

from __future__ import annotations

from app.claude.openings import LOYALTY, WINDOW, Openings
from app.conversation import Conversation, TextBlock, Turn


def opening(name):
    return Conversation("sonnet", name, (Turn("user", (TextBlock("Hello"),)),))


def noted(names, clock=lambda: 0.0):
    openings = Openings(60, clock)
    for name in names:
        openings.note(opening(name), name.encode())
    return openings


def recurring(names, number=1, waiting=""):
    """Return the names of what recurs in a sequence of one-letter openings."""
    found = noted(names).recurring(number, {name.encode() for name in waiting})
    return "".join(digest.decode() for digest in found)


def test_once_is_not_again():
    """An opening is worth a process when it has come a second time, never after the first."""
    assert recurring("a") == recurring("abcd") == ""
    assert recurring("aba") == "a"


def test_most_frequent_first():
    """There are at most so many, and those that came more often go first."""
    assert recurring("abbab", 1) == "b"
    assert recurring("abbab", 2) == "ba"
    assert recurring("aabbcc", 0) == ""


def test_turns_are_not_kept():
    """Only the opening is remembered, not what was said."""
    ((digest, conversation),) = noted("aa").recurring(1).items()
    assert (digest, conversation.system, conversation.turns) == (b"a", "a", ())


def test_loyalty():
    """Of two that come alike the one that has a process keeps it; it gives way to one that comes more often."""
    assert recurring("abab", waiting="b") == "b"
    assert recurring("abcdabcd", waiting="d") == "d"
    assert recurring("bab", waiting="b") == "b"
    assert recurring("ab" + "a" * (1 + LOYALTY), waiting="b") == "a"


def test_old_beginnings_count_no_longer():
    """Only the last few count, and what fell out of them is forgotten."""
    openings = noted("aa" + "".join(map(chr, range(ord("b"), ord("b") + WINDOW))))
    assert openings.recurring(9) == {}
    assert len(openings._told) == WINDOW


def test_age():
    """What was not wanted for a while counts no longer, whether a process waits with it or not."""
    now = [0.0]
    openings = noted("aab", lambda: now[0])
    now[0] = 59
    openings.note(opening("b"), b"b")
    assert list(openings.recurring(9)) == [b"a", b"b"]
    now[0] = 61
    assert openings.recurring(9) == {}
    assert list(openings.recurring(9, {b"a", b"b"})) == [b"b"]
    now[0] = 120
    assert openings.recurring(9, {b"a", b"b"}) == {}
    assert openings._told == {}
