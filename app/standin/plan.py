"""The subscription's headers: how the API tells the CLI what is left of a plan.

The names are those the CLI reads (`strings` on 2.1.330): `anthropic-ratelimit-unified-*`, with one group for the
plan as a whole and one for each window.
"""

from __future__ import annotations

import time

PREFIX = "anthropic-ratelimit-unified"
# What the CLI calls a window, and how the headers abbreviate it.
WINDOWS = {"five_hour": "5h", "seven_day": "7d", "seven_day_overage_included": "7d_oi"}


def plan_headers(
    status: str = "allowed_warning",
    *,
    utilization: float = 0.93,
    resets_at: int | None = None,
    window: str = "five_hour",
    threshold: float | None = None,
    weekly_utilization: float = 0.41,
    weekly_resets_at: int | None = None,
    overage: str | None = None,
    overage_resets_at: int | None = None,
) -> dict[str, str]:
    """Return the headers of a plan whose `window` is used up to `utilization` (0..1) until `resets_at` (unix seconds).

    `threshold` (0..1) is the mark the use has passed; a warning needs one and gets 0.9. With "five_hour", the weekly
    window is described too, which is what makes the CLI list `unifiedWindows`.

    `overage` is the status of the extra usage (`allowed`, `allowed_warning`, `rejected`), which renews itself at
    `overage_resets_at`. The CLI takes an answer for paid by it where `status` is `rejected` and `overage` allows.
    """
    now = int(time.time())
    resets_at = now + 3600 if resets_at is None else resets_at
    if threshold is None and status == "allowed_warning":
        threshold = 0.9
    headers = {
        f"{PREFIX}-status": status,
        f"{PREFIX}-reset": str(resets_at),
        f"{PREFIX}-representative-claim": window,
        f"{PREFIX}-fallback-percentage": "0.5",
        **_window(window, status, utilization, resets_at),
    }
    if threshold is not None:
        headers[f"{PREFIX}-{WINDOWS.get(window, window)}-surpassed-threshold"] = str(threshold)
    if overage is not None:
        headers[f"{PREFIX}-overage-status"] = overage
        headers[f"{PREFIX}-overage-reset"] = str(now + 10 * 86_400 if overage_resets_at is None else overage_resets_at)
        if status == "rejected" and overage != "rejected":
            headers[f"{PREFIX}-overage-in-use"] = "true"
    if window == "five_hour":
        weekly_resets_at = now + 86_400 if weekly_resets_at is None else weekly_resets_at
        headers |= _window("seven_day", "allowed", weekly_utilization, weekly_resets_at)
    return headers


def _window(window: str, status: str, utilization: float, resets_at: int) -> dict[str, str]:
    name = f"{PREFIX}-{WINDOWS.get(window, window)}"
    return {f"{name}-status": status, f"{name}-utilization": str(utilization), f"{name}-reset": str(resets_at)}
