"""Blocks as JSON: however long their texts are, the same as in one go, with pauses between their pieces."""

from __future__ import annotations

import msgspec
import pytest

from app import event_loop
from app.conversation import Base64Source, DocumentBlock, ImageBlock, TextBlock, TextSource, ToolResultBlock
from app.event_loop import PIECE_LENGTH
from app.paced_json import encoded

LONG = '"ü\n\\' * (PIECE_LENGTH // 2)
BLOCKS = [
    TextBlock("Hi"),
    TextBlock(LONG),
    ImageBlock(Base64Source("image/png", "QUJD" * PIECE_LENGTH)),
    DocumentBlock(TextSource(LONG), "a.txt"),
    ToolResultBlock("call_1", (TextBlock("short"), TextBlock(LONG)), is_error=True),
]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: type(block).__name__)
def test_the_same(block):
    """A long text is encoded in pieces, and nobody can tell."""
    assert encoded([block, block]) == msgspec.json.encode([block, block])


def test_pauses(monkeypatch):
    """Others get their turn between the pieces of a long text."""
    slept = []
    monkeypatch.setattr(event_loop, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(event_loop, "_due", 0.0)  # the test before may have paused just now
    monkeypatch.setattr("app.event_loop.time.sleep", slept.append)
    encoded([TextBlock("short")])
    few = len(slept)
    encoded([TextBlock(LONG)])
    assert len(slept) - few >= len(LONG) // PIECE_LENGTH
