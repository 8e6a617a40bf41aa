"""Which openings are worth a process that waits with them."""

from __future__ import annotations

from app.claude.openings import LOYALTY, WINDOW, Openings
from app.conversation import Conversation, TextBlock, Turn


def opening(name):
    return Conversation("sonnet", name, (Turn("user", (TextBlock("Hello"),)),))


def noted(names):
    openings = Openings()
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


def test_forgotten():
    """What was forgotten has to come twice again."""
    openings = noted("aab")
    openings.forget(b"a")
    assert openings.recurring(9) == {}
    openings.note(opening("a"), b"a")
    assert openings.recurring(9) == {}
    openings.note(opening("a"), b"a")
    assert list(openings.recurring(9)) == [b"a"]
