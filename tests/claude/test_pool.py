"""What the pool tells of itself."""

from __future__ import annotations

import time

import pytest

from app.claude.cli.incoming import RateLimitInfo
from app.claude.pool import Pool
from app.config import Settings
from app.errors import QueueFull, ShuttingDown
from app.models import Catalogue


def test_status(tmp_path):
    """Slots, processes and the plan are told as they are when asked for."""
    pool = Pool(Settings(state_dir=tmp_path, spares=2), Catalogue())
    ticket = pool.slots.enter()
    pool.processes.registry.starts["spare"] += 3
    pool.processes.registry.ends["exited"] += 1
    told = RateLimitInfo("rejected", time.time() + 60, "five_hour", 1.0)
    pool.processes.plan.note(told)
    pool.processes.plan.refused(told, "sonnet", "Used up.")
    status = pool.status()
    assert (status.slots.limit, status.slots.running, status.slots.waiting, status.spares.wanted) == (8, 1, 0, 2)
    assert (status.processes.started, status.processes.ended) == ({"spare": 3}, {"exited": 1})
    assert status.plan.windows["five_hour"].used_percent == 100
    assert [limit.message for limit in status.plan.limits] == ["Used up."]
    pool.slots.leave(ticket)
    assert pool.status().slots.running == 0


def test_room_while_it_ends(tmp_path):
    """A pool that ends says so to who asks for several turns, however full it is."""
    pool = Pool(Settings(state_dir=tmp_path, spares=0, max_concurrency=1, queue_limit=1), Catalogue())
    with pytest.raises(QueueFull):
        pool.check_room("one", 3)
    pool.draining = True
    with pytest.raises(ShuttingDown):
        pool.check_room("one", 3)
