"""Ollama's chat and generate: https://docs.ollama.com/api ."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from app.blocks import AnswerBlocks
from app.dialects.dialect import Context, Dialect
from app.dialects.ollama import answers, operation
from app.dialects.ollama.answers import Form
from app.dialects.ollama.errors import ENVELOPE
from app.dialects.ollama.request import ParsedRequest, parse_chat, parse_generate
from app.dialects.ollama.stream import JsonLines
from app.events import Event, TurnEnd, TurnStart, Usage

ROOT = "/api"
LINES = "application/x-ndjson"


class OllamaRequest:
    """A request for an answer in an endpoint's `form`, or for none."""

    session_id = None

    def __init__(self, parsed: ParsedRequest, form: Form) -> None:
        asked = parsed.conversation
        self.conversations = [] if asked is None else [asked]
        self.streams = parsed.stream
        self.ignored = parsed.ignored
        self._parsed = parsed
        self._form = form
        self._thinking = asked is not None and asked.options.thinking

    def stream(self) -> JsonLines:
        """Return what writes the lines."""
        return JsonLines(self._parsed.model, self._form, thinking=self._thinking)

    def render(self, batches: Iterable[list[Event]]) -> bytes:
        """Return the answer as JSON."""
        if not self.conversations:
            return answers.loaded(self._parsed.model, self._form, unloads=self._parsed.unloads)
        clock, answer = answers.Clock(), AnswerBlocks(thinking=self._thinking)
        end = TurnEnd("end_turn", Usage())
        for batch in batches:
            for event in batch:
                answer.feed(event)
                if isinstance(event, TurnStart):
                    clock.answers()
                elif isinstance(event, TurnEnd):
                    end = event
        said = self._form(answers.whole(answer.blocks))
        return msgspec.json.encode({**answers.opening(self._parsed.model), **said, **answers.ending(end, clock)})


def read_chat(body: bytes, context: Context) -> OllamaRequest:
    """Read a body for a chat. Raises BadRequest with the field in `param`."""
    return OllamaRequest(parse_chat(body, context.resolve_model), answers.of_chat)


def read_generate(body: bytes, context: Context) -> OllamaRequest:
    """Read a body for the answer to a text. Raises BadRequest with the field in `param`."""
    return OllamaRequest(parse_generate(body, context.resolve_model), answers.of_generate)


CHAT = Dialect("ollama_chat", f"{ROOT}/chat", read_chat, ENVELOPE, operation.CHAT, root=ROOT, stream_type=LINES)
GENERATE = Dialect(
    "ollama_generate", f"{ROOT}/generate", read_generate, ENVELOPE, operation.GENERATE, root=ROOT, stream_type=LINES
)
