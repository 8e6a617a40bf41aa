"""Where log lines go: standard error, one line each."""

from __future__ import annotations

import logging

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def init(level: str) -> None:
    """Send this application's records to standard error from `level` on, once."""
    logger = logging.getLogger("app")
    logger.setLevel(level)
    if not logger.handlers:
        target = logging.StreamHandler()
        target.setFormatter(logging.Formatter(FORMAT))
        logger.addHandler(target)
