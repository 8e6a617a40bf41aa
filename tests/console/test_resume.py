"""claude-max-api resume."""

from __future__ import annotations

import time

from app.backend import Extra
from app.claude.cli.extra_usage import ExtraUsageFile


def test_accepts_what_is_known(console, linux, tmp_path):
    """What was billed beyond the plan is accepted until its end, in the file that the server reads; it says what."""
    now = time.time()
    file = ExtraUsageFile(tmp_path)
    over, known = Extra("seven_day", "all", now - 9, now - 1), Extra("seven_day_opus", "opus", now, now + 3600)
    file.write({("seven_day", "all"): over, ("seven_day_opus", "opus"): known})
    result = console("resume", machine=linux, CLAUDE_PROXY_STATE_DIR=str(tmp_path))
    assert result.exit_code == 0
    assert "accepted for opus models until" in result.stderr
    assert [(extra.window, extra.accepted) for extra in file.read().values()] == [("seven_day_opus", True)]


def test_an_end_that_no_calendar_has(console, linux, tmp_path):
    """The API's time of reset may be any number."""
    ExtraUsageFile(tmp_path).write({("five_hour", "all"): Extra("five_hour", "all", time.time(), 1e20)})
    result = console("resume", machine=linux, CLAUDE_PROXY_STATE_DIR=str(tmp_path))
    assert result.exit_code == 0
    assert "until a time that no calendar has" in result.stderr


def test_nothing_to_accept(console, linux, tmp_path):
    """Where nothing was billed it says so."""
    result = console("resume", machine=linux, CLAUDE_PROXY_STATE_DIR=str(tmp_path))
    assert (result.exit_code, "nothing is refused" in result.stderr) == (0, True)
    assert ExtraUsageFile(tmp_path).read() == {}


def test_unwritable(console, linux, tmp_path):
    """A folder that cannot be written to is named."""
    result = console("resume", machine=linux, CLAUDE_PROXY_STATE_DIR=str(tmp_path / "nowhere" / "state"))
    assert result.exit_code == 1
    assert "nowhere/state" in result.stderr


def test_a_setting_that_cannot_be_used(console, linux):
    """It is named, in a sentence."""
    result = console("resume", machine=linux, CLAUDE_PROXY_SPARES="many")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: CLAUDE_PROXY_SPARES=many")
