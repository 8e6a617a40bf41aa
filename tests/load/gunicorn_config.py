"""The server's own settings, with a worker that is watched more closely.

It writes how many greenlets it has into the state folder at SIGUSR2, and tells of stalls of the event loop from 10 ms
on.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import signal
from pathlib import Path
from typing import Any

_spec = importlib.util.spec_from_file_location("gunicorn_config", Path("app/gunicorn_config.py").absolute())
assert _spec is not None and _spec.loader is not None
_settings = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_settings)
globals().update({name: value for name, value in vars(_settings).items() if not name.startswith("__")})


def post_worker_init(worker: Any) -> None:
    """Begin as the server does, and listen to the signal."""
    # Imported late: gevent must not be imported before the worker patches the standard library.
    import greenlet

    from app import watchdog

    watchdog.STALL_SECONDS, watchdog.LOOK_SECONDS = 0.01, 0.004
    _settings.post_worker_init(worker)

    def tell(*_: object) -> None:
        living = [one for one in gc.get_objects() if isinstance(one, greenlet.greenlet) and not one.dead]
        new = Path(os.environ["CLAUDE_PROXY_STATE_DIR"]) / "greenlets.new"
        new.write_text(str(len(living)))
        new.replace(new.with_suffix(""))

    signal.signal(signal.SIGUSR2, tell)
