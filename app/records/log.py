"""One log line for each request when its response begins; streams add a second when they end.

Never a prompt, an answer or a credential.
"""

from __future__ import annotations

import logging

from app.logs import Line
from app.records.record import RequestSummary

log = logging.getLogger("app.request")


def log_response(summary: RequestSummary) -> None:
    """Write the line of a request whose response begins."""
    method, path = summary.method, _printable(summary.path)
    facts = {"status": summary.status, "ms": summary.ms, **_turn(summary), "error": summary.code, **_marks(summary)}
    log.info(Line(f"{method} {path}", facts, told={"method": method, "path": path}))


def log_stream_end(summary: RequestSummary) -> None:
    """Write the line of a stream that has ended; for other requests there is none."""
    if not summary.streams:
        return
    path = _printable(summary.path)
    facts = {"error": summary.code, "ms": summary.ms, **_turn(summary), **_marks(summary)}
    log.info(Line(f"stream end {path}", facts, told={"path": path}))


def _turn(summary: RequestSummary) -> dict[str, object]:
    ended = summary.stop is not None
    read = summary.input_tokens + summary.cache_read_tokens + summary.cache_write_tokens
    return {
        "served": summary.served,
        "model": summary.model,
        "stop": summary.stop,
        "input": read if ended else None,
        "output": summary.output_tokens if ended else None,
        "ttft_ms": summary.ttft_ms,
        "cancelled": summary.cancelled,
    }


def _marks(summary: RequestSummary) -> dict[str, object]:
    return {"key": summary.key, "id": summary.id}


def _printable(path: str) -> str:
    return ascii(path)[1:-1]
