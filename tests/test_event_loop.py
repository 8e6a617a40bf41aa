"""Work that pauses lets the others in, however much of it there is, and in the order in which it came."""

from __future__ import annotations

import subprocess
import sys

import pytest

# gevent patches a whole process: each case has one of its own. `work` holds the loop, as parsing does.
BEGIN = """
from gevent import monkey
monkey.patch_all()
import time
import gevent
from app.event_loop import pause, pause_in_line

def work(seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
"""
CASES = {
    # All of them are woken, and each does its work at once: in between the loop looks at what else there is.
    "many at once": """
def beat():
    global beats
    while True:
        time.sleep(0.0005)
        beats += 1

def task():
    time.sleep(0.01)
    pause_in_line()
    work(0.003)

beats = 0
gevent.spawn(beat)
gevent.joinall([gevent.spawn(task) for _ in range(100)], raise_error=True)
assert beats > 20, beats
""",
    # Whoever works for long goes behind those that came meanwhile.
    "one that goes on and on": """
def walk():
    for _ in range(200):
        work(0.002)
        pause()

def task():
    pause_in_line()
    work(0.006)
    pause_in_line()

walker = gevent.spawn(walk)
gevent.sleep(0.01)
gevent.joinall([gevent.spawn(task) for _ in range(3)], raise_error=True)
assert not walker.dead
walker.kill()
""",
    # A client that leaves takes nobody's place with it.
    "one that is ended as it waits": """
def task():
    work(0.006)
    pause_in_line()

tasks = [gevent.spawn(task) for _ in range(5)]
gevent.sleep(0)
for killed in tasks[1:3]:
    killed.kill()
gevent.joinall(tasks, timeout=30, raise_error=True)
assert all(each.dead for each in tasks)
""",
}


@pytest.mark.parametrize("case", CASES)
def test_pause(case: str) -> None:
    subprocess.run([sys.executable, "-c", BEGIN + CASES[case]], check=True, timeout=60)
