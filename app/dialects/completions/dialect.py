"""OpenAI's old completions, for autocomplete: https://platform.openai.com/docs/api-reference/completions ."""

from __future__ import annotations

from collections.abc import Iterable

from app.dialects.completions.operation import OPERATION
from app.dialects.completions.request import ParsedRequest, parse
from app.dialects.completions.response import completion
from app.dialects.completions.stream import CompletionStream
from app.dialects.dialect import Context, Dialect
from app.dialects.openai.errors import ENVELOPE
from app.dialects.openai.objects import Identity
from app.events import Event


class TextRequest:
    """A request to continue one text or several."""

    session_id = None

    def __init__(self, parsed: ParsedRequest) -> None:
        self.conversations = parsed.conversations
        self.streams = parsed.stream
        self.ignored = parsed.ignored
        self._identity = Identity.new("cmpl")
        self._parsed = parsed

    def stream(self) -> CompletionStream:
        """Return what writes the chunks."""
        parsed = self._parsed
        return CompletionStream(self._identity, parsed.model, include_usage=parsed.include_usage, echoes=parsed.echoes)

    def render(self, batches: Iterable[list[Event]]) -> bytes:
        """Return the completion as JSON."""
        return completion(batches, self._identity, self._parsed.echoes)


def read(body: bytes, context: Context) -> TextRequest:
    """Read a request body. Raises BadRequest with the field in `param`."""
    return TextRequest(parse(body, context.resolve_model))


DIALECT = Dialect("completions", "/completions", read, ENVELOPE, OPERATION)
