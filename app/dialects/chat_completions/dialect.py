"""OpenAI's chat completions: https://platform.openai.com/docs/api-reference/chat ."""

from __future__ import annotations

from collections.abc import Iterable

from app.dialects.chat_completions.operation import OPERATION
from app.dialects.chat_completions.request import ParsedRequest, parse
from app.dialects.chat_completions.response import completion
from app.dialects.chat_completions.stream import ChatStream
from app.dialects.dialect import Context, Dialect
from app.dialects.openai.errors import ENVELOPE
from app.dialects.openai.objects import Identity
from app.events import Event


class ChatRequest:
    """A request for `n` answers to one conversation."""

    def __init__(self, parsed: ParsedRequest) -> None:
        self.conversations = [parsed.conversation] * parsed.n
        self.streams = parsed.stream
        self.ignored = parsed.ignored
        self.session_id = parsed.session_id
        self._identity = Identity.new("chatcmpl")
        self._include_usage = parsed.include_usage
        self._reasoning = parsed.conversation.options.thinking

    def stream(self) -> ChatStream:
        """Return what writes the chunks."""
        return ChatStream(
            self._identity,
            self.conversations[0].model,
            include_usage=self._include_usage,
            reasoning=self._reasoning,
            n=len(self.conversations),
        )

    def render(self, batches: Iterable[list[Event]]) -> bytes:
        """Return the completion as JSON."""
        return completion(batches, self._identity, reasoning=self._reasoning, n=len(self.conversations))


def read(body: bytes, context: Context) -> ChatRequest:
    """Read a request body. Raises BadRequest with the field in `param`."""
    return ChatRequest(parse(body, context.resolve_model, in_session=context.in_session))


DIALECT = Dialect("chat", "/chat/completions", read, ENVELOPE, OPERATION, sessions=True)
