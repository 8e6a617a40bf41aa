"""What a server that has just begun knows of the day before."""

from __future__ import annotations

import time

from app.ledger.entry import Entry
from app.ledger.ledger import Ledger
from app.ledger.recall import recall
from app.ledger.sqlite import SqliteLedger


def test_the_last_day(tmp_path):
    """The turns of the last day come back, the oldest first, and neither older ones nor corrections."""
    ledger, found, now = Ledger(SqliteLedger(tmp_path / "usage.db"), 30, 730), [], time.time()
    anns = {"owner": "ann.1", "ttft_ms": 7, "cache_write_tokens": 2}
    for ago, more in ((60, anns), (90_000, {}), (3600, {"code": "x"})):
        ledger.note(Entry(request="r", at=now - ago, input_tokens=3, **more))
    ledger.note(Entry(request="r", at=now, requests=0, input_tokens=1))
    recall(ledger, found.append)
    ledger.close()
    told = [(round(now - point.at), point.owner, point.failed) for point in found]
    assert told == [(3600, "", True), (60, "ann.1", False)]
    assert (found[1].ttft_ms, found[1].fresh) == (7, 5)


def test_unreadable(tmp_path):
    """A ledger that cannot be read gives nothing, and no error."""
    (tmp_path / "usage.db").write_bytes(b"no database" * 100)
    ledger = Ledger(SqliteLedger(tmp_path / "usage.db"), 30, 730)
    recall(ledger, lambda point: 1 / 0)
    ledger.close()
