"""How much goes through one worker, with a CLI that costs nothing: in bulk, in many paced streams, past idle ones."""

from __future__ import annotations

import contextlib
import json
import re
import selectors
import socket
import time
from concurrent.futures import ThreadPoolExecutor

from server import Server, until

from .figures import Report, median, percentile
from .place import FAST, Place
from .served import proxy_memory

SECTION = "volume, with a CLI that costs nothing"
# How long all streams together may take to begin, in seconds.
START_SECONDS = 120
STAMP = re.compile(rb'"content":"@([0-9.]+);"')


def measure(report: Report, place: Place, *, chunks: int, streams: int, seconds: int, idle: int) -> None:
    """Push `chunks` through one stream; hold `streams` of ten tokens a second; and `idle` connections meanwhile."""
    count = str(streams + 8)
    server = place.server(
        FAST, CLAUDE_PROXY_MAX_CONCURRENCY=count, CLAUDE_PROXY_QUEUE_LIMIT="1000", CLAUDE_PROXY_KEEP="0"
    )
    server.wait_for_spare()
    time.sleep(2)
    alone = proxy_memory(server)
    report.add(SECTION, "memory of the idle proxy, MB", value=alone)
    report.aim("memory of the idle proxy", "under 60 MB", alone, "MB", lambda mb: mb < 60)
    rates = sorted(_bulk(server, chunks) for _ in range(3))
    report.add(SECTION, "chunks a second in bulk, one stream", median=rates[1], best=rates[2])
    report.aim("chunks a second through one worker", "at least 100,000", rates[1], "", lambda rate: rate >= 100_000)
    _idle(report, server, idle)
    late, most = _paced(server, streams, seconds)
    late = [1000 * value for value in late]
    report.add(
        SECTION,
        f"{streams} streams of 10 tokens a second",
        **{"tokens": len(late), "late ms, p50": percentile(late, 0.5), "p99": percentile(late, 0.99), "MB": most},
    )
    report.add(SECTION, "memory a stream, MB", value=(most - alone) / streams)
    report.aim(f"{streams} paced streams, p99 late", "at most 100 ms", percentile(late, 0.99), "ms", lambda x: x <= 100)
    report.aim(f"{streams} paced streams, memory", "under 150 MB", most, "MB", lambda mb: mb < 150)


def _idle(report: Report, server: Server, idle: int) -> None:
    """Ask without and with so many connections that were opened and ask for nothing."""

    def asked() -> float:
        times = []
        for _ in range(20):
            server.wait_for_spare()
            began = time.perf_counter()
            assert server.chat("Hello")[0] == 200
            times.append((time.perf_counter() - began) * 1000)
        return median(times)

    before, alone = asked(), proxy_memory(server)
    with contextlib.ExitStack() as connections:
        held = [connections.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(idle)]
        during, weight = asked(), proxy_memory(server)
        with selectors.DefaultSelector() as selector:
            for connection in held:
                selector.register(connection, selectors.EVENT_READ)
            assert not selector.select(0), "idle connections were closed"
    name = f"an answer past {idle:,} idle connections"
    report.add(SECTION, f"{name}, ms", median=during, alone=before)
    report.add(SECTION, "memory of an idle connection, kB", value=1000 * (weight - alone) / idle)
    report.aim(f"{name}, to one without", "at most 1.5", during / before, "", lambda part: part <= 1.5)


def _request(question: str) -> bytes:
    body = {"model": "sonnet", "stream": True, "messages": [{"role": "user", "content": question}]}
    data = json.dumps(body).encode()
    return b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data)


def _bulk(server: Server, chunks: int) -> float:
    """Return the chunks a second that one stream brings, from the first to the last."""
    found = 0
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(_request(f"bulk {chunks}"))
        began = rest = None
        data = b""
        while data := connection.recv(2**20):
            began = began or time.perf_counter()
            text = (rest or b"") + data
            found += text.count(b'"content":"tok0 "')
            cut = text.rfind(b"\n\n")
            rest = text[cut:] if cut >= 0 else text
        taken = time.perf_counter() - (began or 0)
    assert found == chunks, (found, chunks)
    return chunks / taken


def _paced(server: Server, streams: int, seconds: int) -> tuple[list[float], float]:
    """Return how late each token came, in seconds, and the most memory the proxy took, in MB."""
    late: list[float] = []
    with contextlib.ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        # Longer than it takes to start all of them: they end when their clients leave.
        request = _request(f"paced {(START_SECONDS + 2 * seconds) * 10} 10")
        for number in range(streams):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            connection.sendall(request)
            connection.settimeout(0)
            selector.register(connection, selectors.EVENT_READ, b"")
            if number % 10 == 9:
                until(lambda number=number: server.slots() == (number + 1, 0), START_SECONDS, "streams")
        # Tokens from before all of them ran were written while others were being started.
        since = time.monotonic()
        # Beside the reading, which must not wait for it.
        watch = stack.enter_context(ThreadPoolExecutor(1))
        weight = watch.submit(_heaviest, server, seconds / 2)
        while time.monotonic() < since + seconds:
            for key, _ in selector.select(1.0):
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]
                now = time.monotonic()
                assert data, "a stream has ended"
                for stamp in STAMP.findall(data):
                    if float(stamp) >= since:
                        late.append(now - float(stamp))
        most = weight.result()
    return late, most


def _heaviest(server: Server, seconds: float) -> float:
    """Return the most memory the proxy takes in the next `seconds`, in MB, looked at four times."""
    weights = []
    for _ in range(4):
        time.sleep(seconds / 4)
        weights.append(proxy_memory(server))
    return max(weights)
