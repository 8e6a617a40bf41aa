"""OpenAI's Responses API: https://platform.openai.com/docs/api-reference/responses ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from app.dialects.dialect import Context, Dialect, ResponseStore, Stream
from app.dialects.openai.errors import ENVELOPE
from app.dialects.responses import objects
from app.dialects.responses.keeping import Keeping, KeptStream
from app.dialects.responses.objects import new_id
from app.dialects.responses.operation import OPERATION
from app.dialects.responses.request import ParsedRequest, parse
from app.dialects.responses.response import finished
from app.dialects.responses.stream import ResponseStream
from app.events import Event


class ResponseRequest:
    """A request for a response, which is kept in the `store` unless that is not wanted."""

    session_id = None

    def __init__(self, parsed: ParsedRequest, store: ResponseStore) -> None:
        conversation = parsed.conversation
        self.conversations = [conversation]
        self.streams = parsed.stream
        self.ignored = parsed.ignored
        self._names = parsed.names
        self._thinking = conversation.options.thinking
        self._begun = objects.begun(new_id(), parsed.request, stored=parsed.stored)
        self._keeping = Keeping(store, parsed.system, conversation.turns) if parsed.stored else None

    def stream(self) -> Stream:
        """Return what writes the events, and keeps the response at its end."""
        stream = ResponseStream(self._begun, self._names, thinking=self._thinking)
        return stream if self._keeping is None else KeptStream(stream, self._keeping)

    def render(self, batches: Iterable[list[Event]]) -> bytes:
        """Return the response as JSON, once it is kept."""
        keeping = self._keeping
        heard: Iterable[list[Event]] | Iterator[list[Event]] = batches if keeping is None else keeping.heard(batches)
        response = finished(heard, self._begun, self._names, thinking=self._thinking)
        if keeping is not None:
            keeping.keep(response)
        return msgspec.json.encode(response)


def read(body: bytes, context: Context) -> ResponseRequest:
    """Read a request body. Raises BadRequest with the field in `param`."""
    parsed = parse(body, context.resolve_model, context.responses.find)
    return ResponseRequest(parsed, context.responses)


DIALECT = Dialect("responses", "/responses", read, ENVELOPE, OPERATION)
