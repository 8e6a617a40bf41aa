"""The clock of the machine is set while the server runs: nobody is taken for dead, and no session is lost."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from app import process_identity
from app.sessions.sqlite import SqliteStore
from app.sessions.store import SessionName

HOUR = 3600
KEY = SessionName("", "a session")


@pytest.fixture(params=[HOUR, -HOUR], ids=["forward", "back"])
def set_clock(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Set the clock an hour forward or back, as far as start times are concerned: Linux tells another boot time."""
    if not psutil.LINUX:
        pytest.skip("start times do not depend on the clock here")

    def jump() -> None:
        proc = tmp_path / "proc"
        proc.mkdir()
        for pid in psutil.pids():
            (proc / str(pid)).symlink_to(f"/proc/{pid}")
        lines = Path("/proc/stat").read_text().splitlines()
        moved = [
            f"btime {int(line.split()[1]) + request.param}" if line.startswith("btime") else line for line in lines
        ]
        (proc / "stat").write_text("\n".join(moved) + "\n")
        monkeypatch.setattr(psutil, "PROCFS_PATH", str(proc))

    return jump


def test_this_process_knows_itself(set_clock: Callable[[], None]) -> None:
    """A record that a process made of itself is its own after the clock was set, one of a former namesake is not."""
    before, told = process_identity.started(), psutil.Process().create_time()
    set_clock()
    assert abs(psutil.Process().create_time() - told) == pytest.approx(HOUR), "the clock was not set"
    assert process_identity.running(os.getpid(), before)
    assert not process_identity.running(os.getpid(), before - 60)


def test_others_are_known(set_clock: Callable[[], None]) -> None:
    """A process that was recorded before the clock was set is known after it: by others, too, it is not taken for dead.

    So a reloaded server does not sweep the processes of the worker that still answers.
    """
    parent = os.getppid()
    before = process_identity.started(parent)
    set_clock()
    assert process_identity.running(parent, before)
    assert process_identity.started(parent) == pytest.approx(before)
    assert not process_identity.running(parent, before - 60)


def test_another_boot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A process of an earlier boot is not taken for the one that has its number, and its time since the boot, now."""
    if not psutil.LINUX:
        pytest.skip("start times are unix times here")
    before = process_identity.started(os.getppid())
    other = tmp_path / "boot_id"
    other.write_text("12345678-0000-4000-8000-000000000000")
    monkeypatch.setattr(process_identity, "BOOT_ID", other)
    process_identity._boot_offset.cache_clear()
    try:
        assert not process_identity.running(os.getppid(), before)
    finally:
        process_identity._boot_offset.cache_clear()


def test_queue_of_a_session(set_clock: Callable[[], None], tmp_path: Path) -> None:
    """Who waits for a session's turn goes on waiting when the clock is set, for the first has not died of it."""
    store = SqliteStore(tmp_path / "sessions.db", 60)
    first, second = store.join(KEY), store.join(KEY)
    set_clock()
    assert not store.is_first(second)
    assert store.is_first(first)
    store.leave(first)
    assert store.is_first(second)
    store.close()


def test_session_of_a_later_clock(tmp_path: Path) -> None:
    """A session used before the clock was set back is there, and lives from its next use on."""
    path = tmp_path / "sessions.db"
    store = SqliteStore(path, 60)
    assert store.save(KEY, None, "", ())
    with sqlite3.connect(path) as db:
        db.execute("UPDATE sessions SET created = created + ?, used = used + ?", (HOUR, HOUR))
    db.close()
    session = store.load(KEY)
    assert session is not None
    assert session.used < session.created
    assert store.save(KEY, session, "", ())
    (summary,) = store.summaries("")
    assert summary.used < summary.created
    store.close()
