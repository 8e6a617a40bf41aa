"""The neutral form of a request: what can be told from it."""

from __future__ import annotations

import pytest

from app.conversation import (
    Conversation,
    Message,
    Options,
    TextBlock,
    ToolChoice,
    ToolDefinition,
    ToolResultBlock,
    interrupted,
    without_attribution,
)

LOOK, HEAR = (ToolDefinition(name, "", {"type": "object"}) for name in ("look", "hear"))


def asked(*content, **options):
    return Conversation("sonnet", "", (Message("user", content),), (LOOK, HEAR), Options(**options))


def test_offered():
    """The model sees all tools, or only the one that it must call."""
    assert asked().offered == (LOOK, HEAR)
    assert asked(tool_choice=ToolChoice(name="hear")).offered == (HEAR,)


@pytest.mark.parametrize(
    ("choice", "must"),
    [
        (ToolChoice(), False),
        (ToolChoice(required=True), True),
        (ToolChoice(name="look"), True),
        (ToolChoice(forbidden=True), False),
    ],
)
def test_must_call(choice, must):
    """Text alone is no answer where any tool, or one by its name, is demanded."""
    assert choice.must_call is must


def test_interrupted():
    """Calls that the server answered itself are known by that answer, and no others."""
    assert asked(interrupted("a"), TextBlock("So?")).interrupted == ("a",)
    assert asked(ToolResultBlock("a", (TextBlock("Seen."),))).interrupted == ()


@pytest.mark.parametrize(
    ("system", "rest"),
    [
        ("", ""),
        ("Be kind.", "Be kind."),
        ("x-anthropic-billing-header: a=b\n\nBe kind.", "Be kind."),
        ("x-anthropic-billing-header: a\nx-anthropic-billing-header: b\nBe kind.", "Be kind."),
        ("x-anthropic-billing-header: a", ""),
        ("Be kind.\nx-anthropic-billing-header: a", "Be kind.\nx-anthropic-billing-header: a"),
    ],
)
def test_without_attribution(system, rest):
    """A client's lines about itself go from the beginning of a system prompt, and from nowhere else."""
    assert without_attribution(system) == rest
