"""The server's own settings, with a worker that tells the ledger of nothing: the difference is what it costs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

_spec = importlib.util.spec_from_file_location("gunicorn_config", Path("app/gunicorn_config.py").absolute())
assert _spec is not None and _spec.loader is not None
_settings = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_settings)
globals().update({name: value for name, value in vars(_settings).items() if not name.startswith("__")})


def post_worker_init(worker: Any) -> None:
    """Begin as the server does, and leave the ledger out."""
    # Imported late: gevent must not be imported before the worker patches the standard library.
    from app.web.state import state

    _settings.post_worker_init(worker)
    parts = state(worker.wsgi)
    parts.history._readers = tuple(
        reader for reader in parts.history._readers if getattr(reader, "__self__", None) is not parts.ledger
    )
