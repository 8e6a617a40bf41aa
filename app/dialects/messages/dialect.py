"""Anthropic's Messages API: https://docs.claude.com/en/api/messages ."""

from __future__ import annotations

from collections.abc import Iterable

from app.dialects.dialect import Context, Dialect, Envelope
from app.dialects.messages import errors
from app.dialects.messages.objects import new_id
from app.dialects.messages.operation import OPERATION
from app.dialects.messages.request import ParsedRequest, parse
from app.dialects.messages.response import message
from app.dialects.messages.stream import MessageStream
from app.events import Event

ENVELOPE = Envelope(errors.status, errors.envelope, name="Anthropic", id_header="request-id")


class MessageRequest:
    """A request for a message."""

    session_id = None

    def __init__(self, parsed: ParsedRequest, request_id: str) -> None:
        self.conversations = [parsed.conversation]
        self.streams = parsed.stream
        self.ignored = parsed.ignored
        self._identity = new_id()
        self._request_id = request_id
        self._thinking = parsed.conversation.options.signed

    def stream(self) -> MessageStream:
        """Return what writes the events."""
        return MessageStream(self._identity, thinking=self._thinking, request_id=self._request_id)

    def render(self, batches: Iterable[list[Event]]) -> bytes:
        """Return the message as JSON."""
        return message(batches, self._identity, thinking=self._thinking)


def read(body: bytes, context: Context) -> MessageRequest:
    """Read a request body. Raises BadRequest with the field in `param`."""
    return MessageRequest(parse(body, context.resolve_model), context.request_id)


DIALECT = Dialect("messages", "/messages", read, ENVELOPE, OPERATION)
