"""What Claude Code's transcript of a session says that the CLI goes on from: what the session has used so far."""

from __future__ import annotations

from pathlib import Path

import msgspec

from app.claude.cli.incoming import ModelUse
from app.conversation import ClaudeSession
from app.event_loop import pause
from app.events import Usage

MARK = b'"type":"cost-state"'


class _State(msgspec.Struct):
    model_usage: dict[str, ModelUse] = msgspec.field(default_factory=dict, name="modelUsage")
    dollars: float = msgspec.field(default=0.0, name="totalCostUSD")


def used(session: ClaudeSession) -> tuple[Usage, float]:
    """Return the tokens, and the dollars at list price, that the CLI counts a session's next turn on from."""
    state = _State()
    if session.transcript is not None:
        try:
            with Path(session.transcript).open("rb") as lines:
                for line in lines:
                    pause()
                    if MARK in line[:100]:
                        state = msgspec.json.decode(line, type=_State)
        except (OSError, ValueError):
            return Usage(), 0.0  # it is the CLI's to say what is wrong
    return sum((model.counts for model in state.model_usage.values()), Usage()), state.dollars
