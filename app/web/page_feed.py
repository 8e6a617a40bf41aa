"""What the status page is told, once and then whenever it changes, as server-sent events."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any, cast

import flask
import msgspec

from app.errors import QueueFull
from app.records.record import RequestSummary
from app.web import readiness
from app.web.state import State

PAGE_FEED = "page-feed"
# Each open page holds a connection of the worker's.
MAX_PAGES = 8
LOOK_SECONDS = 0.5
HEARTBEAT_SECONDS = 10.0
# How long what the CLI says of itself and its login is good for, in seconds.
VERDICT_SECONDS = 15.0
RETRY_AFTER_SECONDS = 30
# What is shown of a turn; who asked is told by the key's name alone.
TURN = (
    "id at running key status code model served ms ttft_ms "
    "input_tokens output_tokens cache_read_tokens cache_write_tokens"
).split()


class PageFeed:
    """The news of one server, for at most `MAX_PAGES` pages at a time. Thread-safe."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._lock = threading.Lock()
        self._looking = threading.Lock()
        self._open = 0
        self._verdict: dict[str, Any] = {}
        self._stale_at = 0.0
        self._errors: list[dict[str, Any]] = []

    @contextlib.contextmanager
    def page(self) -> Iterator[None]:
        """Count an open page. Raises QueueFull."""
        with self._lock:
            if self._open >= MAX_PAGES:
                raise QueueFull(f"{MAX_PAGES} status pages are open already.", retry_after=RETRY_AFTER_SECONDS)
            self._open += 1
        try:
            yield
        finally:
            with self._lock:
                self._open -= 1

    def news(self, gone: threading.Event, view: str | None) -> Iterator[bytes]:
        """Yield what has changed, and comments in between, until the reader is gone or the server stops."""
        sent: dict[str, bytes] = {}
        yield b"retry: 2000\n\n"
        last = time.monotonic()
        while not (gone.is_set() or self._state.backend.draining):
            encoded = {name: msgspec.json.encode(value) for name, value in self.sections(view).items()}
            changed = {name: msgspec.Raw(value) for name, value in encoded.items() if sent.get(name) != value}
            sent = encoded
            if changed:
                last = time.monotonic()
                yield b"data: %b\n\n" % msgspec.json.encode({"now": time.time(), **changed})
            elif time.monotonic() - last >= HEARTBEAT_SECONDS:
                last = time.monotonic()
                yield b": still here\n\n"
            gone.wait(LOOK_SECONDS)

    def sections(self, view: str | None) -> dict[str, Any]:
        """Return what the page shows, part by part; a part is the same as long as nothing in it changes.

        Of requests it shows those of the owner `view`, None for all.
        """
        told = readiness.counts(self._state, view)
        verdict = self._fresh_verdict(self._state.history.errors())
        turns = [_shown(turn) for turn in self._state.history.turns(view)]
        return {
            "state": {
                "reason": verdict["reason"],
                "notice": told["unproven"] or verdict["cli"]["put_aside"],
                "limited": told["limited"],
                "counts": _counts(verdict, told),
            },
            "plan": told["plan"],
            "minutes": self._state.hourly.series(view),
            "turns": turns,
        }

    def _fresh_verdict(self, errors: list[dict[str, Any]]) -> dict[str, Any]:
        # It may run the CLI; all pages share it, and an error is a reason to look again.
        with self._looking:
            if time.monotonic() >= self._stale_at or errors != self._errors:
                self._verdict = readiness.verdict(self._state.backend)
                self._stale_at, self._errors = time.monotonic() + VERDICT_SECONDS, errors
            return self._verdict


def page_feed() -> PageFeed:
    """Return the news of the application that serves the current request."""
    return cast("PageFeed", flask.current_app.extensions[PAGE_FEED])


def _shown(turn: RequestSummary) -> dict[str, Any]:
    # What grows while it runs would be news at every look.
    return {name: getattr(turn, name) for name in TURN if name != "ms" or not turn.running}


def _counts(verdict: dict[str, Any], told: dict[str, Any]) -> list[tuple[str, str]]:
    slots, spares, kept = told["slots"], told["spares"], told["kept"]
    waiting = f", {slots['waiting']} waiting" if slots["waiting"] else ""
    rows = [
        ("Turns", f"{slots['running']} of {slots['limit']} running{waiting}"),
        ("Spares", f"{spares['ready']} of {spares['wanted']} ready"),
        ("Kept", f"{kept['idle']} idle, {kept['parked']} parked"),
        ("Login", verdict["login"]),
    ]
    cli = verdict["cli"]
    rows.append(("claude", f"{cli['version']}, {_proven(cli['proof'])}" if cli["found"] else "not found"))
    if errors := told["last_errors"]:
        rows.append(("Last error", str(errors[0]["code"])))
    return rows


def _proven(proof: dict[str, Any]) -> str:
    if not proof.get("broken"):
        return str(proof["state"])
    return f"{proof['state']} but for {', '.join(proof['broken'])}"
