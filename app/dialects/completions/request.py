"""A request body becomes conversations, one for each choice, or an error that names the field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from app.conversation import Conversation, Message, Options, TextBlock
from app.dialects.completions.response import completion
from app.dialects.completions.schema import CompletionRequest
from app.dialects.completions.stream import CompletionStream
from app.dialects.dialect import Context
from app.dialects.fields import checked, decoded, invalid, shown
from app.dialects.openai.answers import Identity
from app.dialects.parameters import MAX_ANSWERS, stops, without_effect
from app.dialects.parameters import NEUTRAL as SHARED
from app.errors import BadRequest
from app.events import Event

# Claude only chats; this makes it write on instead of answering.
SYSTEM = (
    "You are a text completion engine. The user's message is the beginning of a text or of source code. Continue it"
    " from its very last character. Write only what comes next: no repetition of the beginning, no comment, no"
    " quotation marks or code fences around it. Begin with a space or a line break where the text needs one."
)
UNUSED = ("temperature", "top_p")
HONOURED = frozenset(CompletionRequest.__struct_fields__).difference(UNUSED)
NEUTRAL: dict[str, tuple[Any, ...]] = {**SHARED, "best_of": (1,), "suffix": ("",)}


class ParsedRequest(msgspec.Struct, frozen=True):
    """A checked request: a conversation for each choice, in their order.

    `echoes` holds what each choice begins with, "" for nothing; `ignored` names the parameters that have no effect.
    """

    model: str
    conversations: tuple[Conversation, ...]
    echoes: tuple[str, ...]
    streams: bool
    include_usage: bool
    ignored: tuple[str, ...]
    session_id: str | None = None

    def stream(self) -> CompletionStream:
        """Return what writes the chunks."""
        identity = Identity.new("cmpl")
        return CompletionStream(identity, self.model, include_usage=self.include_usage, echoes=self.echoes)

    def render(self, batches: Iterable[list[Event]]) -> bytes:
        """Return the completion as JSON."""
        return completion(batches, Identity.new("cmpl"), self.echoes)


def parse(body: bytes, context: Context) -> ParsedRequest:
    """Read a request body. Raises BadRequest with the field in `param`."""
    fields = decoded(body)
    _check_endpoint(fields)
    request = checked(fields, CompletionRequest)
    if not request.model.strip():
        raise BadRequest("model must not be empty", param="model", code="invalid_value")
    model = context.resolve_model(request.model)
    prompts = _prompts(request.prompt)
    if len(prompts) * (request.n or 1) > MAX_ANSWERS:
        raise invalid("n", f"times the number of prompts must be at most {MAX_ANSWERS}")
    prompts = [prompt for prompt in prompts for _ in range(request.n or 1)]
    options = Options(max_tokens=request.max_tokens or None, stop=stops(request.stop))
    ending = request.stream_options
    return ParsedRequest(
        model=model,
        conversations=tuple(_conversation(model, prompt, options) for prompt in prompts),
        echoes=tuple(prompts if request.echo else [""] * len(prompts)),
        streams=bool(request.stream),
        include_usage=bool(request.stream and ending is not None and ending.include_usage),
        ignored=tuple(without_effect(fields, HONOURED, NEUTRAL)),
    )


def _check_endpoint(fields: dict[str, Any]) -> None:
    if "prompt" not in fields and "messages" in fields:
        raise BadRequest(
            "This endpoint takes a `prompt`; `messages` belong to chat completions (/v1/chat/completions).",
            param="prompt",
            code="missing_required_parameter",
        )


def _prompts(given: Any) -> list[str]:
    if isinstance(given, str):
        return [_prompt(given, "prompt")]
    if not isinstance(given, list):
        raise invalid("prompt", "must be a string or an array of strings")
    if not given:
        raise invalid("prompt", "must hold at least one string")
    if len(given) > MAX_ANSWERS and isinstance(given[0], str):
        raise invalid("prompt", f"must hold at most {MAX_ANSWERS} strings, not {len(given)}")
    return [_prompt(prompt, f"prompt[{index}]") for index, prompt in enumerate(given)]


def _prompt(given: Any, param: str) -> str:
    if isinstance(given, int | list) and not isinstance(given, bool):
        raise invalid(param, "is given in tokens, which only the model that made them can read; send it as a string")
    if not isinstance(given, str):
        raise invalid(param, f"must be a string, not {shown(given)}")
    if not given.strip():
        raise invalid(param, "must hold more than white space")
    return given


def _conversation(model: str, prompt: str, options: Options) -> Conversation:
    return Conversation(model, SYSTEM, (Message("user", (TextBlock(prompt),)),), options=options)
