"""GET /v1/usage: who used how much."""

from __future__ import annotations

import time
from typing import Any

import flask
import msgspec

from app.errors import BadRequest, DatabaseFailed, UsageUnreadable
from app.ledger import report
from app.web.state import record, state

DEFAULT_BY, DEFAULT_SINCE = "key", "7d"

usage = flask.Blueprint("usage", __name__)


@usage.get("/usage")
def get_usage() -> dict[str, Any]:
    """Return sums since a day or moment: a key sees its own, one that may see all figures all of them.

    Raises BadRequest or UsageUnreadable.
    """
    by = flask.request.args.get("by", DEFAULT_BY)
    if by not in report.GROUPS:
        raise BadRequest(f"by takes one of {', '.join(report.GROUPS)}.", param="by", code="invalid_value")
    try:
        begin = report.since(flask.request.args.get("since", DEFAULT_SINCE), time.time())
    except (ValueError, OverflowError):
        raise BadRequest(f"since takes a period {report.PERIODS}.", param="since", code="invalid_value") from None
    view = record().caller.view
    try:
        parts = state().ledger.read(lambda store: store.sums(by, begin, view))
    except DatabaseFailed:
        raise UsageUnreadable("The ledger cannot be read now; the server's log says why.") from None
    return {
        "object": "usage",
        "by": by,
        "since": round(begin.at, 3),
        "data": msgspec.to_builtins(parts),
        "total": {name: value for name, value in msgspec.to_builtins(report.total(parts)).items() if name != "name"},
    }
