"""What is known of one request, for the log's readers, the metrics and the page; never what was said in it."""

from __future__ import annotations

import msgspec


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """One request, running or ended.

    `at` is in unix seconds, times are in milliseconds, and None where they are not known. `owner` is the key's
    identity, for nobody to see. `route` is the rule, not the path; `code` is the error's, also of one that ended a
    stream. The token counts are disjoint.
    """

    id: str
    at: float
    route: str
    turn: bool
    key: str | None = None
    owner: str = ""
    status: int | None = None
    code: str | None = None
    model: str | None = None
    served: str | None = None
    stop: str | None = None
    ms: int = 0
    queued_ms: int | None = None
    ttft_ms: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    heartbeats: int = 0
    running: bool = False
