"""A turn of a session that Claude Code keeps: one at a time, told the new message alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from app.agents.agent import Agent, Workplace
from app.config import Settings
from app.conversation import ClaudeSession, Conversation
from app.errors import BadRequest, NotFound
from app.events import Event
from app.sessions import claude_code
from app.sessions.store import SessionName, SessionStore
from app.web.stored_sessions import HEADER, Place, SessionTurn, shown

# The id by which `claude --resume` knows the session.
ID_HEADER = "x-proxy-claude-session"
# Whose queue it is: a terminal's session may be any key's, and is still one.
QUEUE = "claude"


class ClaudeSessionTurn:
    """The next turn of a session. Iterate `begin` first, and call `close` when done."""

    def __init__(self, store: SessionStore, name: SessionName, agent: Agent, settings: Settings) -> None:
        self.name = name
        self._agent = agent
        self._settings = settings
        self._place = Place(store)
        self._id = ""

    @property
    def headers(self) -> dict[str, str]:
        """What the answer's headers tell of it, once it has begun."""
        return {HEADER: shown(self.name), ID_HEADER: self._id}

    def begin(
        self, conversation: Conversation, as_asked: Callable[[Conversation], Conversation], idle_seconds: float
    ) -> Iterator[Conversation | None]:
        """Yield None while the turns before are answered, at most `idle_seconds`; then the conversation.

        Raises BadRequest for what only a client can keep, NotFound for an id that is not one of the agent's folder,
        SessionBusy, and what the store raises.
        """
        asked = as_asked(conversation)
        _check(asked)
        workplace = asked.workplace or Workplace(self._agent)
        folder = Path(workplace.folder or self._agent.workspace or "")
        given = claude_code.parse_id(self.name.id)
        if given is not None and given.version == claude_code.FROM_NAME:
            raise _missing(f"{given} is worked out from the name of a session; it goes on by that name.")
        owner, agent = self.name.owner, self._agent.name
        self._id = str(given or claude_code.id_of(owner, agent, folder.resolve(), self.name.id))
        yield from self._place.wait(SessionName(QUEUE, self._id), idle_seconds)
        kept = claude_code.find(self._settings.cli_environ, folder, self._id)
        if kept is None and given is not None:
            raise _missing(f"No session {given} was begun in the folder of the agent {agent}.")
        kept = kept or ClaudeSession(self._id)
        yield msgspec.structs.replace(asked, workplace=workplace, kept=kept, goes_on=False)

    def remembered(self, batches: Iterable[list[Event]]) -> Iterator[list[Event]]:
        """Pass the batches of the turn on: Claude Code remembers them."""
        yield from batches

    def close(self) -> None:
        """Let the next request have its turn; idempotent."""
        self._place.close()


AnySessionTurn = SessionTurn | ClaudeSessionTurn


def _check(asked: Conversation) -> None:
    if len(asked.messages) > 1:
        raise BadRequest(
            "Claude Code keeps this session's history; send the new message alone, or leave X-Session-Id out.",
            param="messages",
            code="invalid_value",
        )
    if asked.tools:
        raise BadRequest(
            "A session that Claude Code keeps takes no tools of its client's; leave X-Session-Id out to use them.",
            param="tools",
            code="invalid_value",
        )


def _missing(message: str) -> NotFound:
    return NotFound(message, code="session_not_found", param="session_id")
