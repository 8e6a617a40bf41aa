"""A file takes another's place whole, for its owner alone, or not at all."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app import private_file


@pytest.mark.parametrize("lasting", [True, False])
def test_replace(tmp_path: Path, *, lasting: bool) -> None:
    path = tmp_path / "known.json"
    path.write_bytes(b"before")
    path.chmod(0o644)
    private_file.replace(path, b"after", lasting=lasting)
    assert path.read_bytes() == b"after"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_left_of_one_that_fails(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    (path / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="folder"):
        private_file.replace(path, b"after")
    assert list(tmp_path.iterdir()) == [path]


# gevent patches a whole process. Who holds the lock lets others run meanwhile.
TWO = """
from gevent import monkey
monkey.patch_all()
import sys, time
from pathlib import Path
import gevent
from app import private_file
beats, held = [], []
def beat():
    while True:
        beats.append(time.monotonic())
        time.sleep(0.01)
def hold(name):
    with private_file.locked(Path(sys.argv[1]) / name) as alone:
        begun = time.monotonic()
        time.sleep(0.2)
        held.append((alone, begun, time.monotonic()))
gevent.spawn(beat)
gevent.joinall([gevent.spawn(hold, name) for name in ("one.json", "two.json")], raise_error=True)
assert [alone for alone, _, _ in held] == [True, True] and held[0][2] <= held[1][1], held
assert max(later - one for one, later in zip(beats, beats[1:])) < 0.15, beats
"""


def test_one_after_the_other(tmp_path: Path) -> None:
    """Two requests of one worker have a folder one after the other, and hold up no others meanwhile."""
    subprocess.run([sys.executable, "-c", TWO, str(tmp_path)], check=True, timeout=30)
    assert list(tmp_path.iterdir()) == []


def test_somebody_who_does_not_go_on(tmp_path: Path) -> None:
    """Who holds a folder and is stopped holds up others for a second, and they know that they are not alone."""
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        begun = time.monotonic()
        with private_file.locked(tmp_path / "known.json") as alone:
            assert not alone
        assert time.monotonic() - begun < private_file.WAIT_SECONDS + 1
    finally:
        os.close(folder)
    with private_file.locked(tmp_path / "known.json") as alone:
        assert alone


def test_nothing_to_lock(tmp_path: Path) -> None:
    """A folder that is not there is for who writes to find out."""
    with private_file.locked(tmp_path / "none" / "known.json") as alone:
        assert alone
