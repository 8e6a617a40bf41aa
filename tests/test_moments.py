"""A moment in words that programs read, and people."""

from __future__ import annotations

import time

import pytest

from app import moments


def test_written() -> None:
    assert moments.written(1_000_000_000.9) == "2001-09-09T01:46:40+00:00"


def test_local(monkeypatch: pytest.MonkeyPatch) -> None:
    """People read it on their own clock."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    assert moments.local(1_000_000_000) == "Sun 09 Sep 03:46"
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("unix", [1e20, -1e20, float("inf"), float("nan")])
def test_moments_that_no_calendar_has(unix: float) -> None:
    """The CLI tells times of reset, and may tell any number."""
    assert moments.written(unix) is None
    assert moments.local(unix) == "a time that no calendar has"
