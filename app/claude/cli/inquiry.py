"""Asking the CLI what is left of the plan: `get_usage`, to a spare that waits; no model is called.

Where the login has the profile in its scope, the CLI asks the API's usage endpoint for it. A token in the environment
has not; then the CLI says so at once, and the windows stay unknown until an answer tells of them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from app.claude.cli.lines import control_line
from app.claude.cli.plan import Plan
from app.claude.cli.protocol import ControlReply
from app.errors import ProxyError

log = logging.getLogger(__name__)

# How long an answer is good for, and how soon to ask again where none came, in seconds.
FRESH = 300.0
PAUSE = 3.0
PATIENCE = 10.0

Ask = Callable[[bytes, str, float], ControlReply | None]


class Inquiry:
    """Refreshes `plan` when somebody looks at it, at most one question at a time. Thread-safe.

    `ask` puts a control request with an id to a process, waits so many seconds, and returns its answer or None.
    """

    def __init__(self, plan: Plan, ask: Ask) -> None:
        self._plan = plan
        self._ask = ask
        self._lock = threading.Lock()
        self._next = 0.0

    def look(self) -> None:
        """Have the plan asked for in the background, if its last answer is old; returns at once, and never fails."""
        with self._lock:
            if time.monotonic() < self._next:
                return
            self._next = time.monotonic() + PAUSE + PATIENCE
        threading.Thread(target=self._refresh, name="usage", daemon=True).start()

    def _refresh(self) -> None:
        pause = PAUSE
        try:
            reply = self._ask(control_line("usage", "get_usage", skip_behaviors=True), "usage", PATIENCE)
            if reply is not None:
                pause = FRESH
                log.debug("usage asked subtype=%s", reply.subtype)
                self._plan.note_usage(reply.response.rate_limits if reply.response is not None else None)
        except ProxyError as error:
            log.debug("no usage code=%s", error.code)
        except Exception:
            log.exception("no usage")
        self._next = time.monotonic() + pause
