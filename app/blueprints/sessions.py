"""GET /v1/sessions, and GET and DELETE /v1/sessions/{id}."""

from __future__ import annotations

from typing import Any

import flask
import msgspec

from app.errors import NotFound
from app.sessions.store import SessionName
from app.web.state import record, state

sessions = flask.Blueprint("sessions", __name__)


@sessions.get("/sessions")
def list_sessions() -> dict[str, Any]:
    """List the caller's sessions, the last used first."""
    data = [
        {
            "id": summary.id,
            "object": "session",
            "turns": summary.messages,
            "created_at": int(summary.created),
            "last_used_at": int(summary.used),
            "expires_at": int(summary.expires),
        }
        for summary in state().sessions.summaries(_owner())
    ]
    return {"object": "list", "data": data}


@sessions.get("/sessions/<path:name>")
def get_session(name: str) -> dict[str, Any]:
    """Return a session with its transcript, in the Messages API's blocks."""
    parts = state()
    session = parts.sessions.load(SessionName(_owner(), name))
    if session is None:
        raise _missing(name)
    return {
        "id": name,
        "object": "session",
        "system": session.system,
        "messages": msgspec.to_builtins(session.messages),
        "created_at": int(session.created),
        "last_used_at": int(session.used),
        "expires_at": int(session.used + parts.settings.session_seconds),
    }


@sessions.delete("/sessions/<path:name>")
def delete_session(name: str) -> dict[str, Any]:
    """Forget a session."""
    if not state().sessions.delete(SessionName(_owner(), name)):
        raise _missing(name)
    return {"id": name, "object": "session.deleted", "deleted": True}


def _owner() -> str:
    return record().caller.owner


def _missing(name: str) -> NotFound:
    return NotFound(f"There is no session {name!r}; it may have expired.", code="session_not_found")
