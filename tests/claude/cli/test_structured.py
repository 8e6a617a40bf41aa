"""An answer that must satisfy a schema."""

from __future__ import annotations

import pytest

from app.claude.turn.parser import AnswerParser
from app.conversation import Conversation, Message, Options, TextBlock
from app.errors import SchemaUnsatisfied
from app.events import TextDelta, TurnEnd
from claude import cli_lines as cli

HI = (Message("user", (TextBlock("Hi"),)),)


def events_of(conversation, *lines):
    answer = AnswerParser(conversation)
    return [event for line in cli.typed(*lines) for event in answer.feed(line)]


def structured(result, **schema):
    conversation = Conversation("sonnet", "", HI, (), Options(schema={"type": "object", **schema}))
    lines = [*cli.message("Sure: "), cli.result("Sure: ", structured_output=result)]
    return events_of(conversation, *lines)


def test_structured_answer():
    """With a schema the object is the whole text."""
    events = structured({"a": "ü"}, required=["a"])
    assert [event.text for event in events if isinstance(event, TextDelta)] == ['{"a": "ü"}']


@pytest.mark.parametrize(("result", "schema"), [(None, {}), ({}, {"$ref": "http://127.0.0.1:9/schema"})])
def test_structured_answer_that_cannot_be_had(result, schema):
    """No answer, and one that cannot be checked without fetching something, is an error."""
    with pytest.raises(SchemaUnsatisfied):
        structured(result, **schema)


def test_structured_answer_that_does_not_fit():
    """The model is told once where its answer does not fit; the second time it is an error."""
    answer = AnswerParser(Conversation("sonnet", "", HI, (), Options(schema={"type": "object", "required": ["a"]})))
    lines = cli.typed(*cli.message("Sure: "), cli.result("Sure: ", structured_output={}))
    assert not any(isinstance(event, TextDelta | TurnEnd) for line in lines for event in answer.feed(line))
    assert "$" in answer.complaint
    answer.repair()
    with pytest.raises(SchemaUnsatisfied):
        [answer.feed(line) for line in lines]
