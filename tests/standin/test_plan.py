"""The subscription's headers."""

from __future__ import annotations

import time

import pytest

from app.standin import Failure, plan_headers

PREFIX = "anthropic-ratelimit-unified"


def test_a_warning_names_both_windows():
    """A warning about the five hours says how much is used of them and of the week, and which mark was passed."""
    assert plan_headers(utilization=0.95, resets_at=100, weekly_utilization=0.2, weekly_resets_at=200) == {
        f"{PREFIX}-status": "allowed_warning",
        f"{PREFIX}-reset": "100",
        f"{PREFIX}-representative-claim": "five_hour",
        f"{PREFIX}-fallback-percentage": "0.5",
        f"{PREFIX}-5h-status": "allowed_warning",
        f"{PREFIX}-5h-utilization": "0.95",
        f"{PREFIX}-5h-reset": "100",
        f"{PREFIX}-5h-surpassed-threshold": "0.9",
        f"{PREFIX}-7d-status": "allowed",
        f"{PREFIX}-7d-utilization": "0.2",
        f"{PREFIX}-7d-reset": "200",
    }


def test_a_quiet_plan_has_no_mark():
    """Only a warning, or an explicit threshold, has a surpassed mark: the CLI takes the mark alone for a warning."""
    mark = f"{PREFIX}-5h-surpassed-threshold"
    assert mark not in plan_headers("allowed")
    assert plan_headers("allowed", threshold=0.5)[mark] == "0.5"


@pytest.mark.parametrize(("window", "short"), [("five_hour", "5h"), ("seven_day", "7d")])
def test_plan_limit(window, short):
    """A used-up window is rejected until its reset, and the answer says after how many seconds to come back."""
    resets_at = int(time.time()) + 600
    failure = Failure.plan_limit(resets_at, window)
    assert failure.status == 429
    assert failure.headers[f"{PREFIX}-status"] == "rejected"
    assert failure.headers[f"{PREFIX}-reset"] == str(resets_at)
    assert failure.headers[f"{PREFIX}-representative-claim"] == window
    assert failure.headers[f"{PREFIX}-{short}-status"] == "rejected"
    assert 590 <= int(failure.headers["retry-after"]) <= 600
    assert f"{PREFIX}-{short}-surpassed-threshold" not in failure.headers
