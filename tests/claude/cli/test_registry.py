"""Every child is known until it has ended; the children of a dead worker are found and ended."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time

import msgspec
import psutil
import pytest
from server import living, until

from app import process_identity
from app.claude.cli import registry as registry_module
from app.claude.cli.registry import Registry
from app.errors import CliFailed

SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]


@pytest.fixture
def registry(tmp_path):
    folder = tmp_path / "processes"
    folder.mkdir()
    registry = Registry(folder)
    yield registry
    registry.close()


@pytest.fixture
def start(registry, tmp_path):
    return lambda argv=SLEEPER: registry.start(argv, dict(os.environ), tmp_path)


@pytest.fixture
def orphan():
    """Give a process in its own group that this registry never started; reaped as init would."""
    child = subprocess.Popen(SLEEPER, start_new_session=True)
    reaper = threading.Thread(target=child.wait)
    reaper.start()
    yield psutil.Process(child.pid)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, 9)
    reaper.join(5)


def records(registry):
    return sorted(path.name for path in registry._folder.iterdir())


def record(registry, pid, started, owner, owner_started):
    path = registry._folder / str(pid)
    told = {"pid": pid, "started": started, "owner": owner, "owner_started": owner_started}
    path.write_bytes(msgspec.json.encode(told))
    return path


def dead():
    """Return the number and start time of a process that has ended."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        return child.pid, process_identity.started(child.pid)


def test_start_and_dispose(registry, start):
    """A process has a record from its start to its end."""
    process = start()
    assert (len(registry), records(registry)) == (1, [str(process.pid)])
    registry.dispose(process, at_once=True)
    until(lambda: len(registry) == 0 and records(registry) == [])
    assert not process.alive


def test_close_in_the_midst_of_a_disposal(registry, start, monkeypatch):
    """A disposal that has just begun is waited for like any other."""
    process = start()
    before = threading.Thread.start

    def slow(thread):
        time.sleep(0.2)
        before(thread)

    monkeypatch.setattr(threading.Thread, "start", slow)
    disposal = threading.Thread(target=lambda: registry.dispose(process, at_once=True))
    before(disposal)
    time.sleep(0.05)
    registry.close()
    disposal.join()
    assert not process.alive
    assert len(registry) == 0


def test_dispose_does_not_wait(registry, start):
    """Disposing of a stubborn process takes no time of the one who asks."""
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    process = start([sys.executable, "-S", "-c", code])
    until(lambda: process.read(0.1))
    began = time.monotonic()
    registry.dispose(process, at_once=True)
    assert time.monotonic() - began < 1
    registry.close()
    assert not process.alive


def test_close_ends_all(registry, start):
    """When close returns every process has ended, those being disposed of too; closing again is harmless."""
    processes = [start() for _ in range(4)]
    registry.dispose(processes[0], at_once=True)
    registry.close()
    assert [process.alive for process in processes] == [False] * 4
    assert (len(registry), records(registry)) == (0, [])
    registry.close()


def test_start_after_close(registry, start):
    """A process that is started while the worker leaves does not outlive it."""
    registry.close()
    process = start()
    assert not process.alive
    assert len(registry) == 0


def test_start_that_fails(registry, start):
    """What did not start is not kept."""
    with pytest.raises(CliFailed):
        start(["/no/such/file"])
    assert (len(registry), records(registry)) == (0, [])


def test_without_a_folder(registry, start, caplog):
    """A record that cannot be written stops no chat; the log tells."""
    registry._folder.rmdir()
    process = start()
    assert process.alive
    assert "not recorded" in caplog.text
    assert registry.sweep() == 0
    registry.dispose(process, at_once=True)
    until(lambda: len(registry) == 0)


def test_sweep_ends_orphans(registry, orphan):
    """The child of a worker that is dead is ended and its record removed."""
    path = record(registry, orphan.pid, process_identity.started(orphan.pid), *dead())
    assert registry.sweep() == 1
    until(lambda: not orphan.is_running())
    assert not path.exists()


def test_sweep_spares_a_living_owners_child(registry, orphan):
    """The child of a worker that lives is left alone, and so is its record."""
    me = psutil.Process()
    path = record(registry, orphan.pid, process_identity.started(orphan.pid), me.pid, process_identity.started(me.pid))
    assert registry.sweep() == 0
    assert orphan.is_running()
    assert path.exists()


def test_sweep_tells_numbers_apart(registry, orphan):
    """A process that merely has the number of an old one is left alone; the record goes."""
    path = record(registry, orphan.pid, process_identity.started(orphan.pid) - 1000, *dead())
    assert registry.sweep() == 0
    assert orphan.is_running()
    assert not path.exists()


def test_sweep_tells_owners_apart(registry, orphan):
    """An owner whose number has gone to a stranger counts as dead."""
    me = psutil.Process()
    record(registry, orphan.pid, process_identity.started(orphan.pid), me.pid, process_identity.started(me.pid) - 1000)
    assert registry.sweep() == 1


def test_sweep_ends_all_at_once(registry):
    """All orphans are told to end before any is waited for, so that stubborn ones take no longer than one."""
    # Not by print: the signal may come while that is still at work on the first line.
    code = "import os, signal, time; signal.signal(15, lambda *_: os.write(1, b'%f\\n' % time.time()))"
    stubborn = [sys.executable, "-S", "-c", f"{code}; os.write(1, b'\\n')\nwhile True: time.sleep(60)"]
    told = []
    with contextlib.ExitStack() as scope:
        children = []
        for _ in range(3):
            child = scope.enter_context(subprocess.Popen(stubborn, start_new_session=True, stdout=subprocess.PIPE))
            scope.callback(child.kill)
            child.stdout.readline()
            record(registry, child.pid, process_identity.started(child.pid), *dead())
            children.append(child)
        assert registry.sweep() == 3
        for child in children:
            told.append(float(child.stdout.readline()))
            assert child.wait(10) == -9
    assert max(told) - min(told) < registry_module.SWEEP_SECONDS


@pytest.mark.parametrize("with_tools", [False, True])
def test_killed_worker(tmp_path, with_tools):
    """A worker that is killed takes its children with it, with no other's help; one with tools is asked to end them."""
    code = f"""
import os, sys, time
from pathlib import Path
from app.claude.cli import registry as registry_module
from app.claude.cli.registry import Registry
registry = Registry(Path({str(tmp_path)!r}))
gone, child = (registry.start({SLEEPER!r}, dict(os.environ), Path("/"), with_tools={with_tools}) for _ in range(2))
registry.dispose(gone, at_once=True)
while len(registry) > 1:
    time.sleep(0.01)
print(child.pid, flush=True)
time.sleep(60)
"""
    worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    child = psutil.Process(int(worker.stdout.readline()))
    worker.stdout.close()
    worker.kill()
    worker.wait(10)
    until(lambda: not living({child.pid}), what="end of the child")


def test_undertaker_that_died(registry, start, caplog):
    """A worker goes on without its undertaker, and says so once."""
    start()
    registry._undertaker._shell.kill()
    registry._undertaker._shell.wait()
    for _ in range(2):
        assert start().alive
    assert caplog.text.count("no undertaker") == 1


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"\xff": 1}',
        b'{"pid":"1"}',
        b'{"pid":-1,"started":1.0,"owner":-1,"owner_started":1.0}',
        b'{"pid":0,"started":1.0,"owner":0,"owner_started":1.0}',
        b'{"pid":1e30,"started":1.0,"owner":99999999999999999999999,"owner_started":1.0}',
        b"[" * 100_000,
    ],
)
def test_sweep_removes_corrupt_records(registry, orphan, data):
    """A record that cannot be read is removed, harms nobody and does not keep the sweep from the others."""
    path = registry._folder / "1"
    path.write_bytes(data)
    record(registry, orphan.pid, process_identity.started(orphan.pid), *dead())
    assert registry.sweep() == 1
    assert records(registry) == []


def test_counts(registry, start):
    """Starts and ends are counted by cause; a process that had ended by itself is told apart, and none counts twice."""
    told, gone, killed, left = start(), start([sys.executable, "-S", "-c", ""]), start(), start()
    until(lambda: not gone.alive)
    killed.kill()
    registry.dispose(told, at_once=True, cause="turn_over")
    registry.dispose(gone, at_once=True, cause="turn_over")
    registry.dispose(killed, at_once=True, cause="failed")
    until(lambda: len(registry) == 1)
    registry.dispose(told, at_once=True, cause="failed")
    registry.close()
    assert left.exit_code is not None
    assert registry.starts == {"request": 4}
    assert registry.ends == {"turn_over": 1, "exited": 1, "failed": 1, "shutdown": 1}
