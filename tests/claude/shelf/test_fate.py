"""What becomes of a process, for every way a turn can end."""

from __future__ import annotations

import dataclasses

import pytest

from app.claude.shelf.fate import Ended, fate

GOOD = Ended("end_turn", idle=True, exact=True, asked=True, sound=True, failed=False, goes_on=True, going_back=True)
CUT = {"stop_reason": None, "exact": False, "idle": False}
LENGTH = {"stop_reason": "max_tokens", "exact": False, "idle": False, "held": True}

WAYS = {
    "an answer": ({}, "keep"),
    "calls": ({"stop_reason": "tool_use", "idle": False}, "keep"),
    "an answer that a note comes before": ({"goes_on": False}, "keep"),
    "calls that a note comes before": ({"stop_reason": "tool_use", "idle": False, "goes_on": False}, "undo"),
    "that, in an older version": ({"goes_on": False, "going_back": False}, "leave"),
    "an answer in an older version": ({"going_back": False}, "keep"),
    "not what the client was given": ({"exact": False}, "undo"),
    "that, in an older version ": ({"exact": False, "going_back": False}, "leave"),
    "cut at a stop sequence here": ({"stop_reason": "stop_sequence", "exact": False, "idle": False}, "undo"),
    "cut at max_tokens": ({"stop_reason": "max_tokens", "exact": False, "idle": False}, "kill"),
    "that, of a process that is held": (LENGTH, "undo"),
    "that, in an older version   ": ({**LENGTH, "going_back": False}, "leave"),
    "a refusal": ({"stop_reason": "refusal", "exact": False, "idle": False}, "kill"),
    "a client that left": (CUT, "undo"),
    "that, in an older version  ": ({**CUT, "going_back": False}, "kill"),
    "a client that left before the question": ({**CUT, "asked": False}, "kill"),
    "an error of the API": ({"stop_reason": None, "exact": False}, "undo"),
    "a process that failed": ({**CUT, "sound": False}, "kill"),
    "one that failed behind its answer": ({"sound": False}, "kill"),
}


@pytest.mark.parametrize("way", WAYS)
def test_fate(way):
    """Nothing that may ask the API once more is left to itself, and nothing is thrown away that is of use."""
    changes, what = WAYS[way]
    assert fate(dataclasses.replace(GOOD, **changes)).what == what


def test_cause():
    """The count of ended processes tells failures, departures and ends apart."""
    whys = [fate(dataclasses.replace(GOOD, **one)).why for one in ({}, CUT, {**CUT, "failed": True}, {"sound": False})]
    assert whys == ["turn_over", "cancelled", "failed", "failed"]
