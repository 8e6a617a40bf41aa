"""What was said before, and what is new."""

from __future__ import annotations

import pytest

from app.conversation import Conversation, TextBlock, ToolResultBlock, ToolUseBlock, Turn, interrupted
from app.errors import BadRequest
from app.sessions.history import continued
from app.sessions.store import Key, Session


def user(text):
    return Turn("user", (TextBlock(text),))


def assistant(text):
    return Turn("assistant", (TextBlock(text),))


def session(*turns, system="Be kind."):
    return Session(Key("", "s"), system, turns, "r1", 0.0, 0.0)


def asking(*turns, system=""):
    return Conversation("sonnet", system, turns)


KNOWN = (user("one"), assistant("two"))
CALLED = (user("look"), Turn("assistant", (ToolUseBlock("toolu01", "look", {}), ToolUseBlock("toolu02", "look", {}))))


def test_new_session():
    """The first request is the conversation."""
    assert continued(None, asking(user("one"))) == asking(user("one"))


def test_new_message():
    """New messages go on with the transcript, under its system prompt unless they bring one."""
    whole = continued(session(*KNOWN), asking(user("three")))
    assert whole == asking(*KNOWN, user("three"), system="Be kind.")
    whole = continued(session(*KNOWN), asking(user("three"), system="Be brief."))
    assert whole.system == "Be brief."


def test_repeated_history():
    """A request that repeats the transcript is taken as it is, its system prompt too."""
    repeated = asking(*KNOWN, user("three"))
    assert continued(session(*KNOWN), repeated) == repeated


def test_other_history():
    """A history that differs replaces the transcript."""
    for other in (asking(user("one"), assistant("2"), user("three")), asking(*KNOWN[:1], assistant("two"), user("x"))):
        known = session(*KNOWN, user("three"), assistant("four"))
        assert continued(known, other) == other


def test_results():
    """Results alone answer the calls of the last answer, whatever punctuation their ids have lost or won."""
    given = Turn("user", tuple(ToolResultBlock(call, (TextBlock(call),)) for call in ("toolu_02", "toolu_01")))
    whole = continued(session(*CALLED), asking(given))
    assert [block.tool_use_id for block in whole.turns[-1].content] == ["toolu02", "toolu01"]
    assert len(whole.turns) == 3


def test_interrupted():
    """Calls of the last answer that get no result, though the user goes on, are answered as interrupted."""
    given = Turn("user", (TextBlock("No."), ToolResultBlock("toolu_02", (TextBlock("seen"),))))
    whole = continued(session(*CALLED), asking(given))
    seen = ToolResultBlock("toolu02", (TextBlock("seen"),))
    assert whole.turns[-1].content == (seen, interrupted("toolu01"), TextBlock("No."))
    assert whole.interrupted == ("toolu01",)


RESULT = ToolResultBlock("toolu01", (TextBlock("seen"),))


@pytest.mark.parametrize(
    ("known", "turns", "words"),
    [
        (None, [Turn("user", (RESULT,))], "toolu01"),
        (KNOWN, [Turn("user", (RESULT,))], "toolu01"),
        (CALLED, [Turn("user", (RESULT,))], "toolu02"),
        (KNOWN, [Turn("user", (RESULT,)), assistant("two"), user("three")], "toolu01"),
    ],
)
def test_results_that_do_not_fit(known, turns, words):
    """A result without its call, or a call without its result, is refused by name."""
    with pytest.raises(BadRequest, match=words):
        continued(None if known is None else session(*known), asking(*turns))
