"""Server-sent events: when the headers go, when a heartbeat goes, and how an error ends a stream."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator

from app.dialects.dialect import Stream
from app.errors import ProxyError
from app.events import ChoiceEvent, Event, Retrying

log = logging.getLogger(__name__)

MEDIA_TYPE = "text/event-stream; charset=utf-8"
HEADERS = {
    "Content-Type": MEDIA_TYPE,
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
# How long the status line is held back for the turn's first event, in seconds, so that a failure keeps its status.
GRACE_SECONDS = 2.0
# The same where more than one try is likely: the CLI says that it asks the API again, or another model may answer,
# which the headers name.
LONG_GRACE_SECONDS = 20.0


def hold(batches: Iterator[list[Event]], *, falls_back: bool = False) -> list[Event]:
    """Wait for the first event or the grace's end, and return the events that have come until then.

    It waits longer where another model may answer (`falls_back`).
    Raises what the turn raises in that time; the request still gets its own status.
    """
    began = time.monotonic()
    grace = LONG_GRACE_SECONDS if falls_back else GRACE_SECONDS
    early: list[Event] = []
    for batch in batches:
        early += batch
        if any(not _is_retry(event) for event in batch):
            break
        if batch:
            grace = LONG_GRACE_SECONDS
        if time.monotonic() - began >= grace:
            break
    return early


def _is_retry(event: Event) -> bool:
    return isinstance(event.event if isinstance(event, ChoiceEvent) else event, Retrying)


def body(
    early: list[Event],
    batches: Iterator[list[Event]],
    stream: Stream,
    heartbeat: float,
    *,
    note: Callable[[ProxyError], None],
    beat: Callable[[], None] = lambda: None,
) -> Iterator[bytes]:
    """Yield the stream's bytes, one write a batch, with a heartbeat after `heartbeat` seconds without any.

    The first write goes at once, and the headers with it: what the `early` events say, or else a sign of life.
    `note` is told the error that ends the stream, if one does, and `beat` of each heartbeat.
    """
    try:
        yield stream.feed(early) or stream.heartbeat()
        last = time.monotonic()
        for batch in batches:
            data = stream.feed(batch) if batch else b""
            now = time.monotonic()
            if not data and now - last >= heartbeat:
                data = stream.heartbeat()
                beat()
            if data:
                last = now
                yield data
    except ProxyError as error:
        note(error)
        yield stream.error(error)
    except Exception:
        log.exception("stream failed")
        unforeseen = ProxyError("The server failed; its log has the reason.")
        note(unforeseen)
        yield stream.error(unforeseen)
