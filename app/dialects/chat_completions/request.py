"""A request body becomes a conversation, or an error that names the field."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from app.conversation import Conversation
from app.dialects.chat_completions.messages import system_and_turns
from app.dialects.chat_completions.schema import HONOURED, NEUTRAL, ChatRequest
from app.errors import BadRequest

MALFORMED = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")


class ParsedRequest(msgspec.Struct, frozen=True):
    """A checked request; `ignored` names the parameters that have no effect here."""

    conversation: Conversation
    stream: bool
    include_usage: bool
    ignored: tuple[str, ...]


def parse(body: bytes, resolve_model: Callable[[str], str]) -> ParsedRequest:
    """Read a request body. Raises BadRequest with the field in `param`."""
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The request body is not valid JSON: {error}") from None
    if not isinstance(fields, dict):
        raise BadRequest("The request body must be a JSON object.")
    request = _checked(fields)
    if not request.model.strip():
        raise BadRequest("model must not be empty", param="model", code="invalid_value")
    if not request.messages:
        raise BadRequest("messages must hold at least one message", param="messages", code="invalid_value")
    system, turns = system_and_turns(request.messages)
    options = request.stream_options
    return ParsedRequest(
        conversation=Conversation(resolve_model(request.model), system, turns),
        stream=bool(request.stream),
        include_usage=bool(request.stream and options is not None and options.include_usage),
        ignored=tuple(name for name, value in fields.items() if _is_ignored(name, value)),
    )


def _checked(fields: dict[str, Any]) -> ChatRequest:
    try:
        return msgspec.convert(fields, ChatRequest)
    except msgspec.ValidationError as error:
        text = str(error)
        place = MALFORMED.search(text)
        if place is not None:
            param = place[1].replace("[...]", "")
            raise BadRequest(f"{param}: {text[: place.start()]}", param=param, code="invalid_value") from None
        missing = re.search(r"required field `(\w+)`", text)
        raise BadRequest(text, param=missing[1] if missing else None, code="missing_required_parameter") from None


def _is_ignored(name: str, value: Any) -> bool:
    return name not in HONOURED and value is not None and value not in NEUTRAL.get(name, ())
