"""A stand-in for the Messages API on loopback, for the demonstration without a login and for end-to-end tests."""

from __future__ import annotations

from app.standin.demo import demo_reply
from app.standin.failure import Failure
from app.standin.journal import Recorded
from app.standin.plan import plan_headers
from app.standin.reply import Reply, Text, Thinking, ToolUse
from app.standin.server import StandIn

__all__ = ["Failure", "Recorded", "Reply", "StandIn", "Text", "Thinking", "ToolUse", "demo_reply", "plan_headers"]
