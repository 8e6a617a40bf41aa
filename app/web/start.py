"""The server's start: what runs beside the requests begins once, in the process that serves."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable

import flask

from app.web import PROBE


class Start:
    """Calls each of the `steps` once, in order; what is in `at_exit` when the interpreter ends. Thread-safe.

    gunicorn's worker calls it before it serves. Any other server comes to it with the first request that needs more
    than the word that the server runs, which is after any fork.
    """

    def __init__(self, *steps: Callable[[], object], at_exit: tuple[Callable[[], object], ...] = ()) -> None:
        self._steps = steps
        self._at_exit = at_exit
        self._lock = threading.Lock()
        self._done = False

    def __call__(self) -> None:
        """Start, once; where a step fails, the next call tries it again. Raises what a step raises."""
        if self._done:
            return
        with self._lock:
            if self._done:
                return
            for step in self._steps:
                step()
            for ending in self._at_exit:
                atexit.register(ending)
            self._done = True

    def for_request(self) -> None:
        """Start if the current request needs it."""
        if flask.request.endpoint != PROBE:
            self()
