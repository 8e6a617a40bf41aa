"""What was said before, and what is new."""

from __future__ import annotations

import pytest

from app.conversation import Conversation, Message, TextBlock, ToolResultBlock, ToolUseBlock, interrupted
from app.errors import BadRequest
from app.sessions.history import continued
from app.sessions.store import Session, SessionName


def user(text):
    return Message("user", (TextBlock(text),))


def assistant(text):
    return Message("assistant", (TextBlock(text),))


def session(*messages, system="Be kind."):
    return Session(SessionName("", "s"), system, messages, "r1", 0.0, 0.0)


def asking(*messages, system=""):
    return Conversation("sonnet", system, messages)


KNOWN = (user("one"), assistant("two"))
CALLED = (
    user("look"),
    Message("assistant", (ToolUseBlock("toolu01", "look", {}), ToolUseBlock("toolu02", "look", {}))),
)


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
    given = Message("user", tuple(ToolResultBlock(call, (TextBlock(call),)) for call in ("toolu_02", "toolu_01")))
    whole = continued(session(*CALLED), asking(given))
    assert [block.tool_use_id for block in whole.messages[-1].content] == ["toolu02", "toolu01"]
    assert len(whole.messages) == 3


def test_interrupted():
    """Calls of the last answer that get no result, though the user goes on, are answered as interrupted."""
    given = Message("user", (TextBlock("No."), ToolResultBlock("toolu_02", (TextBlock("seen"),))))
    whole = continued(session(*CALLED), asking(given))
    seen = ToolResultBlock("toolu02", (TextBlock("seen"),))
    assert whole.messages[-1].content == (seen, interrupted("toolu01"), TextBlock("No."))
    assert whole.interrupted == ("toolu01",)


RESULT = ToolResultBlock("toolu01", (TextBlock("seen"),))


@pytest.mark.parametrize(
    ("known", "messages", "words"),
    [
        (None, [Message("user", (RESULT,))], "toolu01"),
        (KNOWN, [Message("user", (RESULT,))], "toolu01"),
        (CALLED, [Message("user", (RESULT,))], "toolu02"),
        (KNOWN, [Message("user", (RESULT,)), assistant("two"), user("three")], "toolu01"),
    ],
)
def test_results_that_do_not_fit(known, messages, words):
    """A result without its call, or a call without its result, is refused by name."""
    with pytest.raises(BadRequest, match=words):
        continued(None if known is None else session(*known), asking(*messages))
