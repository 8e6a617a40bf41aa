"""The deadlines of what is written to a process, and read from it."""

from __future__ import annotations

from app.claude.cli.channel import Deadlines


def test_time_left_for_a_write():
    """A write gets the smaller of both deadlines, and a moment even when the turn is overdue."""
    assert Deadlines(100, 5).left() == 5
    assert 0.5 < Deadlines(1, 5).left() <= 1
    assert Deadlines(0, 5).left() == 0.01
