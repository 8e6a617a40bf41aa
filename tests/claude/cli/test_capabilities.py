"""What a conversation needs of an executable, where there is no other way."""

from __future__ import annotations

import dataclasses

import pytest

from app.claude.cli.capabilities import FIELDS, Capabilities
from app.conversation import Conversation, Options, TextBlock, ToolDefinition, Turn

NONE = Capabilities(**dict.fromkeys(FIELDS, False))
HI = (Turn("user", (TextBlock("hi"),)),)
LOOK = (ToolDefinition("look", "", {"type": "object"}),)


@pytest.mark.parametrize(
    ("options", "tools", "needs"),
    [
        (Options(), (), []),
        (Options(parallel_tools=False), (), []),
        (Options(), LOOK, ["tools"]),
        (Options(parallel_tools=False), LOOK, ["tools", "one_call"]),
        (Options(schema={"type": "object"}), (), ["structured"]),
        (Options(max_tokens=5), (), ["max_tokens"]),
        (Options(effort="low"), (), ["effort"]),
        (Options(stop=("x",), thinking=True), (), []),
    ],
)
def test_lacking(options, tools, needs):
    """Only what cannot be had in another way is needed, and only by what asks for it."""
    conversation = Conversation("sonnet", "", HI, tools, options)
    assert list(NONE.lacking(conversation)) == needs
    assert list(Capabilities().lacking(conversation)) == []


def test_unproven():
    """Nothing undocumented is relied on before it is proven."""
    assert [name for name, on in dataclasses.asdict(Capabilities()).items() if not on] == [
        "composed", "going_back", "quick_history", "manifests", "models", "counting",
    ]  # fmt: skip
