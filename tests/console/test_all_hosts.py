"""`claude-max-api status --all`: hosts in words; those of a real database are in tests/postgres/test_bound_keys.py."""

from __future__ import annotations

from app.backend import Window
from app.console.all_hosts import lines
from app.hosts import Host, Seen


def test_lines():
    """Each host has a block: how it is and what it does; of one that is gone, when it was seen."""
    windows = {"five_hour": Window(42.4, 4e9, "allowed", 1e9), "seven_day": Window(7.0, 1.0, "allowed", 1.0)}
    here = Host(
        name="alpha", port=3456, worker=1, version="1.2", cli="2.1.330", running=2, queued=1, shelf=3, plan="max",
        windows=windows, login="0123456789abcdef",
    )  # fmt: skip
    ill = Host(name="beta", port=1, worker=1, version="1.2", reason="Run `claude-max-api login`.")
    gone = Host(name="gamma", port=1, worker=1, version="1.1", cli="2.1.300")
    told = list(lines((Seen(here, 1e9, 1), Seen(ill, 1e9, 1), Seen(gone, 1e9, 9e3))))
    assert told[0] == "alpha:3456  ready"
    assert "  version  1.2, claude 2.1.330" in told
    assert "  turns    2 running, 1 waiting; 3 processes on the shelf" in told
    (plan,) = [line for line in told if line.startswith("  plan")]
    assert plan.startswith("  plan     max, five hours 42 % used until ")
    assert "week" not in plan  # that window has begun anew since
    assert "  login    0123456789abcdef" in told
    assert "beta:1  NOT ready: Run `claude-max-api login`." in told
    assert "  version  1.2, claude not found" in told
    assert "  login    not known" in told
    (last,) = [line for line in told if line.startswith("gamma")]
    assert last.startswith("gamma:1  gone, last seen ")
    assert not any(line.startswith("  turns") for line in told[told.index(last) :])


def test_without_a_database(console, linux):
    """It says what it needs, as for any wrong use."""
    result = console("status", "--all", machine=linux)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--all needs CLAUDE_PROXY_DATABASE" in result.stderr


def test_a_database_that_is_away(console, linux):
    """That it is away is said, and no list without hosts."""
    away = {"CLAUDE_PROXY_DATABASE": "postgresql://127.0.0.1:9/none"}
    result = console("status", "--all", "--json", machine=linux, **away)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is away" in result.stderr
