"""A stand-in for the Messages API on loopback, for the demonstration without a login and for end-to-end tests."""

from __future__ import annotations

from app.standin.demo import demo_reply
from app.standin.failure import Failure
from app.standin.journal import Recorded
from app.standin.plan import plan_headers
from app.standin.reply import Reply, SearchResults, Text, Thinking, ToolUse, WebSearch
from app.standin.server import StandIn

__all__ = [
    "Failure",
    "Recorded",
    "Reply",
    "SearchResults",
    "StandIn",
    "Text",
    "Thinking",
    "ToolUse",
    "WebSearch",
    "demo_reply",
    "plan_headers",
]
