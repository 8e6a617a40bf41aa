"""The database does not hold up the event loop: other requests go on while it works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
# A process of its own, since gevent takes over the threads of the one that asks for it.
CODE = """
import gevent.monkey
gevent.monkey.patch_all()
import sys, threading, time
from pathlib import Path
from app.conversation import TextBlock, Message
from app.sessions.sqlite import SqliteStore
from app.sessions.store import SessionName

store = SqliteStore(Path(sys.argv[1]) / "sessions.db", 60)
slow = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000000) SELECT max(i) FROM n"
beats = []

def beat():
    while not done.is_set():
        beats.append(time.monotonic())
        time.sleep(0.01)

done = threading.Event()
threading.Thread(target=beat).start()
began = time.monotonic()
assert store._database.do(lambda db: db.execute(slow).fetchone()) == (5000000,)
took = time.monotonic() - began
messages = (Message("user", (TextBlock("x" * 30_000_000),)),)
assert store.save(SessionName("", "big"), None, "", messages)
assert store.load(SessionName("", "big")).messages == messages
try:
    store._database.do(lambda db: 1 / 0)
except ZeroDivisionError:
    done.set()
print(max(after - before for before, after in zip(beats, beats[1:])) / took)
"""


def test_others_go_on(tmp_path):
    """A long query, and a message of 30 MB, leave the loop free for everybody else."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    argv = [sys.executable, "-c", CODE, str(tmp_path)]
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    # The longest silence is a part of the query's time, which it would be at least if the loop waited for it.
    # Decoding the message holds Python's lock for some of it.
    assert float(done.stdout) < 0.9
