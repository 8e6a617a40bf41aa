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
    method, path = summary.method, ascii(summary.path)[1:-1]
    begun = {"status": summary.status, "ms": summary.ms}
    log.info(Line(f"{method} {path}", {**begun, **_found_out(summary)}, told={"method": method, "path": path}))


def log_stream_end(summary: RequestSummary) -> None:
    """Write the line of a stream that has ended; for other requests there is none."""
    if not summary.streams:
        return
    path = ascii(summary.path)[1:-1]
    log.info(Line(f"stream end {path}", {"ms": summary.ms, **_found_out(summary)}, told={"path": path}))


def _found_out(summary: RequestSummary) -> dict[str, object]:
    ended = summary.stop is not None
    read = summary.input_tokens + summary.cache_read_tokens + summary.cache_write_tokens
    return {
        "served": summary.served,
        "model": summary.model,
        "instead_of": summary.instead_of,
        "stop": summary.stop,
        "input": read if ended else None,
        "output": summary.output_tokens if ended else None,
        "ttft_ms": summary.ttft_ms,
        "billing": "extra" if ended and summary.extra_usage else None,
        "cancelled": summary.cancelled,
        "error": summary.code,
        "key": summary.key,
        "id": summary.id,
    }
