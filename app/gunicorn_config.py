"""gunicorn's settings and worker hooks; give it as a path: `gunicorn -c app/gunicorn_config.py wsgi:app`.

gunicorn runs this file in its master before gevent patches the standard library, so it imports nothing of `app` and
no library at its top.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Any

bind = f"{os.environ.get('HOST') or '127.0.0.1'}:{os.environ.get('PORT') or '3456'}"
worker_class = "gevent"
# Spares, slots and counters belong to one process, and one event loop carries hundreds of streams.
workers = 1
worker_connections = 256
# How long the event loop may stand still; the length of a turn has nothing to do with it.
timeout = 60
graceful_timeout = 30
# The worker counts the same seconds as its master, and the master's SIGKILL wins: the turns must be ended before.
DRAIN_MARGIN = 6
# A kept connection would hold up the drain.
keepalive = 0
max_requests = 0
preload_app = False
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    """Watch for the worker's end, so that turns get their time and no process outlives it."""

    def watch() -> None:
        while worker.alive:
            time.sleep(0.1)
        _pool(worker).drain(worker.cfg.graceful_timeout - DRAIN_MARGIN)

    threading.Thread(target=watch, name="drain", daemon=True).start()


def worker_int(worker: Any) -> None:
    """End everything at once on SIGINT and SIGQUIT."""
    _pool(worker).close()


def worker_exit(server: Any, worker: Any) -> None:
    """End what is left when the worker leaves by any road."""
    del server
    if getattr(worker, "wsgi", None) is not None:
        _pool(worker).close()


def _pool(worker: Any) -> Any:
    # Imported late: see the module's docstring.
    from app.web.state import state  # noqa: PLC0415

    return state(worker.wsgi).pool
