"""The words in which the page tells how the server is; `told` are the counts and `verdict` the verdict of readiness."""

from __future__ import annotations

import time
from typing import Any

from app.web.readiness import NOBODY
from app.web.recording import UNMATCHED

# The CLI's words for a login that has to be made.
NO_LOGIN = frozenset({"absent", "failed"})
# The last error is news for so long, in seconds.
NEWS_SECONDS = 3600.0
MINUTE, HOUR, DAY = 60, 3600, 86400
# So many hours are said as hours.
MANY_HOURS = 48
MEANINGS = {
    "Turns": "Answers that are being made, and how many may be at a time.",
    "Waiting": "Requests in the queue, until a turn ends.",
    "Spares": "Processes that were started in advance, so that a new chat begins at once.",
    "Idle": "Processes that remember a conversation and wait for its next question.",
    "Parked": "Processes that wait for what a client's tools find out.",
    "Login": "What Claude Code says of its login; verified once an answer came.",
    "claude": "Claude Code's command, which answers. What this server relies on is tried with each version.",
}


def running(told: dict[str, Any]) -> str:
    """Return what runs, what waits, and how long the server is up."""
    slots = told["slots"]
    waiting = [f"{slots['waiting']} waiting"] if slots["waiting"] else []
    began = "just started" if told["uptime_s"] < MINUTE else f"up {span(told['uptime_s'])}"
    return " · ".join((f"{slots['running']} running", *waiting, began))


def span(seconds: float) -> str:
    """Return a time span, such as `3 h`."""
    if seconds < HOUR:
        return f"{int(seconds // MINUTE)} min"
    return f"{int(seconds // HOUR)} h" if seconds < MANY_HOURS * HOUR else f"{int(seconds // DAY)} days"


def payer(verdict: dict[str, Any], told: dict[str, Any]) -> str:
    """Return a sentence on who pays."""
    paid_by, plan = verdict["paid_by"], told["plan"]["name"]
    known = {
        "plan": f"Paid by your {plan.capitalize()} plan" if plan else "Paid by your plan",
        "extra usage": "Billed as extra usage, beyond the plan",
        "api key": "Billed to an API key, not to a plan",
        "unknown": "Who pays is not known yet",
        NOBODY: "Nobody pays: this is a demo",
    }
    return known.get(paid_by, f"Billed by {paid_by}")


def needs_login(verdict: dict[str, Any]) -> bool:
    """Tell whether a login has to be made first."""
    return bool(verdict["cli"]["found"]) and verdict["login"] in NO_LOGIN


def last_error(told: dict[str, Any]) -> dict[str, Any] | None:
    """Return the last error, as long as it is news; browsers ask by themselves for icons that there are not."""
    since = time.time() - NEWS_SECONDS
    errors = (error for error in told["last_errors"] if (error["method"], error["route"]) != ("GET", UNMATCHED))
    return next((error for error in errors if error["at"] > since), None)


def processes(verdict: dict[str, Any], told: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return what there is to know of the processes: a word, how it is now, and what the word means."""
    slots, spares, kept, cli = told["slots"], told["spares"], told["kept"], verdict["cli"]
    version = f"{cli['version']}, {_proven(cli['proof'])}" if cli["found"] else "not found"
    now = {
        "Turns": f"{slots['running']} of {slots['limit']}",
        "Waiting": str(slots["waiting"]),
        "Spares": f"{spares['ready']} of {spares['wanted']}",
        "Idle": str(kept["idle"]),
        "Parked": str(kept["parked"]),
        "Login": verdict["login"],
        "claude": version,
    }
    return [(word, now[word], meaning) for word, meaning in MEANINGS.items()]


def _proven(proof: dict[str, Any]) -> str:
    if not proof.get("broken"):
        return str(proof["state"])
    return f"{proof['state']} but for {', '.join(proof['broken'])}"
