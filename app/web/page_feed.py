"""What the status page is told, once and then whenever it changes, as server-sent events."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import flask
import msgspec

from app import moments
from app.backend import PlanStatus
from app.errors import QueueFull
from app.hosts import Presence, Sight, named
from app.models import spoken
from app.records.record import RequestSummary
from app.web import page_words, readiness
from app.web.readiness import Verdicts
from app.web.state import State
from app.web.usage_figures import UsageFigures

PAGE_FEED = "page-feed"
# Each open page holds a connection of the worker's.
MAX_PAGES = 8
# What one key may have of them, and what all keys together that do not see everything: the rest is for who runs it.
MAX_PAGES_OF_KEY = 3
MAX_PAGES_OF_KEYS = 6
LOOK_SECONDS = 0.5
HEARTBEAT_SECONDS = 10.0
# How long an answer of the CLI about itself and its login is used, in seconds.
VERDICT_SECONDS = 15.0
RETRY_AFTER_SECONDS = 30
# What is shown of a turn; who asked is told by the key's name alone.
TURN = (
    "id at running key status code words asked instead_of model route program served stop ms queued_ms ttft_ms "
    "input_tokens output_tokens cache_read_tokens cache_write_tokens dollars extra_usage"
).split()


class PageFeed:
    """The news of one server, for at most `MAX_PAGES` pages at a time. Thread-safe.

    `admits` tells whether the owner who opened one may still look.
    """

    def __init__(
        self, state: State, verdicts: Verdicts, presence: Presence, admits: Callable[[str], bool] = lambda _: True
    ) -> None:
        self._state = state
        self._verdicts, self._presence, self._admits = verdicts, presence, admits
        self._usage = UsageFigures(state.ledger)
        self._lock = threading.Lock()
        self._open: list[tuple[str, str | None]] = []  # the owner and the view of each

    @contextlib.contextmanager
    def page(self, owner: str = "", view: str | None = None) -> Iterator[None]:
        """Count an open page of an owner, who is empty without keys. Raises QueueFull."""
        with self._lock:
            self._find_place(owner, view)
            self._open.append((owner, view))
        try:
            yield
        finally:
            with self._lock:
                self._open.remove((owner, view))

    def news(self, gone: threading.Event, view: str | None, owner: str = "") -> Iterator[bytes]:
        """Yield what has changed, and a sign of life in between, until the reader is gone or the server stops.

        They end, too, when the key of the `owner` who reads them does.
        """
        sent: dict[str, bytes] = {}
        yield b"retry: 2000\n\n"
        last = time.monotonic()
        while self._admits(owner) and not (gone.is_set() or self._state.backend.draining):
            encoded = {name: msgspec.json.encode(value) for name, value in self.sections(view).items()}
            changed = {name: msgspec.Raw(value) for name, value in encoded.items() if sent.get(name) != value}
            sent = encoded
            if changed:
                last = time.monotonic()
                yield b"data: %b\n\n" % msgspec.json.encode({"now": time.time(), **changed})
            elif time.monotonic() - last >= HEARTBEAT_SECONDS:
                # No comment: a page's script sees none, and says that the server is gone when it sees nothing.
                last = time.monotonic()
                yield b"data: %b\n\n" % msgspec.json.encode({"now": time.time()})
            gone.wait(LOOK_SECONDS)

    def _find_place(self, owner: str, view: str | None) -> None:
        own = sum(who == owner for who, _ in self._open)
        if owner and own >= MAX_PAGES_OF_KEY:
            raise QueueFull(f"{own} status pages are open with this key already.", retry_after=RETRY_AFTER_SECONDS)
        total = len(self._open)
        narrow = sum(seen is not None for _, seen in self._open)
        if total >= MAX_PAGES or (view is not None and narrow >= MAX_PAGES_OF_KEYS):
            raise QueueFull(f"{total} status pages are open already.", retry_after=RETRY_AFTER_SECONDS)

    def sections(self, view: str | None) -> dict[str, Any]:
        """Return what the page shows, part by part; a part is the same as long as nothing in it changes.

        Of requests it shows those of the owner `view`, None for all.
        """
        told = readiness.counts(self._state, view)
        verdict = self._verdicts.within(VERDICT_SECONDS)
        turns = [_shown(turn) for turn in self._state.history.turns(view)]
        return {
            "state": {
                "ready": verdict["reason"] is None,
                "reason": verdict["reason"],
                "running": page_words.running(told),
                "payer": page_words.payer(verdict, told),
                "needs_login": page_words.needs_login(verdict),
                "notice": told["unproven"] or verdict["cli"]["put_aside"] or _kept(told["captures"]),
                "limited": told["limited"],
                "extra": _extra(self._state),
                "resumable": view is None and self._state.backend.status().plan.refuses_extra,
                "last_error": page_words.last_error(told),
                "processes": page_words.processes(verdict, told),
            },
            "plan": told["plan"],
            "usage": self._usage.told(view, msgspec.convert(told["plan"], PlanStatus)),
            "budgets": self._state.budgets.told(view),
            "charts": self._state.figures.told(view),
            "turns": turns,
            "hosts": _hosts(self._presence.sight if view is None else None),
        }


def page_feed() -> PageFeed:
    """Return the news of the application that serves the current request."""
    return cast("PageFeed", flask.current_app.extensions[PAGE_FEED])


def _kept(captures: int) -> str | None:
    if not captures:
        return None
    return (
        f"The last {captures} requests are kept with all that is said in them, for bug reports (CLAUDE_PROXY_RECORD)."
    )


def _hosts(sight: Sight | None) -> dict[str, Any]:
    """Return the hosts in the database, where there are several, and of which moment that is where it is away."""
    if sight is None or not sight.several:
        return {"hosts": [], "as_of": None}
    # When a host that is there was seen changes all the time, and says nothing.
    shown = [
        {**seen.told(), "name": name, "seen_at": seen.at if seen.gone else None} for name, seen in named(sight.hosts)
    ]
    return {"hosts": shown, "as_of": sight.at if sight.old else None}


def _extra(state: State) -> str | None:
    """Return what there is to know of extra usage, if it pays now."""
    plan = state.backend.status().plan
    if not plan.extra or state.settings.extra_usage == "allow":
        return None
    extra = max(plan.extra, key=lambda extra: extra.until)
    until = moments.local(extra.until)
    what = "are refused" if plan.refuses_extra else "go on, and are billed beyond it"
    whose = "requests" if extra.models == "all" else f"requests for {extra.models} models"
    return f"The plan is used up and the last answer was billed as extra usage; {whose} {what}, until {until}."


def _shown(turn: RequestSummary) -> dict[str, Any]:
    # The time of a turn that runs would differ at every look.
    shown = {name: getattr(turn, name) for name in TURN if name != "ms" or not turn.running}
    model = turn.model or turn.asked or ""
    return {**shown, "name": spoken(model) or model or None}
