"""The stand-in inside a gevent worker."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
{first}
{second}
import http.client, json, threading, time, urllib.parse
from app.standin import Reply, StandIn, Text
server = StandIn(reply=lambda body: Reply((Text(["x"] * 10, pause=0.01),)))
server.start()
body = {{"model": "claude-x", "max_tokens": 9, "stream": True, "messages": [{{"role": "user", "content": "Hi"}}]}}
done = []
def client():
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc, timeout=10)
    connection.request("POST", "/v1/messages", json.dumps(body), {{"x-api-key": "k"}})
    done.append(connection.getresponse().read().endswith(b'data: {{"type":"message_stop"}}\\n\\n'))
    connection.close()
ticks = 0
def ticker():
    global ticks
    while len(done) < 100:
        ticks += 1
        time.sleep(0.01)
clock = threading.Thread(target=ticker, daemon=True)
clients = [threading.Thread(target=client) for _ in range(100)]
start = time.monotonic()
for thread in (clock, *clients):
    thread.start()
for thread in clients:
    thread.join(20)
server.reply = lambda body: Reply((Text(["a", "b"]),), silent_after=1)
threading.Thread(target=client, daemon=True).start()
while not server.active:
    time.sleep(0.01)
closing = time.monotonic()
server.close()
print(sum(done), ticks > 5, time.monotonic() - closing < 2, server.active, server.rejected)
"""
PATCH, IMPORT = "import gevent.monkey; gevent.monkey.patch_all()", "import app.standin"


@pytest.mark.parametrize(("first", "second"), [(PATCH, IMPORT), (IMPORT, PATCH)])
def test_it_shares_the_worker(first, second):
    """Patched before or after the import, a hundred streams and the other greenlets go on side by side."""
    program = PROGRAM.format(first=first, second=second)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (ran.stdout, ran.returncode) == ("100 True True 0 []\n", 0), ran.stderr
