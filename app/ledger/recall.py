"""What the ledger has of this host's last day, for the charts of a server that has just begun."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.errors import DatabaseFailed
from app.ledger.ledger import Ledger
from app.records.figures import DAY_SECONDS, Point

# The latest of them, where there are more: reading these takes some ten milliseconds.
MAX_ROWS = 5000


def recall(ledger: Ledger, add: Callable[[Point], object]) -> None:
    """Tell `add` of the turns that ended in the last day; where the ledger cannot be read, of none."""
    try:
        found = ledger.read(lambda store: store.latest(time.time() - DAY_SECONDS, MAX_ROWS))
    except DatabaseFailed:
        return  # the log says it
    for point in reversed(found):
        add(point)
