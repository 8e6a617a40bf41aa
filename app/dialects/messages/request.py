"""A request body becomes a conversation, or an error that names the field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from app.conversation import Conversation, Options
from app.dialects.anthropic import content
from app.dialects.anthropic.tools import chosen
from app.dialects.anthropic.tools import offer as offer_of
from app.dialects.dialect import Context
from app.dialects.fields import checked, decoded, invalid
from app.dialects.json_schema import answerable
from app.dialects.messages.messages import read_messages
from app.dialects.messages.objects import new_id
from app.dialects.messages.response import message
from app.dialects.messages.schema import MessageCount, MessageRequest, OutputConfig
from app.dialects.messages.stream import MessageStream
from app.dialects.parameters import folder_named, stops, tuned, without_effect
from app.dialects.tools import check_names
from app.errors import BadRequest
from app.events import Event

# Clients count on these, so that an answer without them would be wrong. The code makes SDKs fall back.
REFUSED = {
    "thread": ("nothing is stored here; send the whole conversation", "thread_unsupported_request"),
    "container": ("tools run at the client here", "invalid_value"),
    "compaction": ("nothing is summarised here", "invalid_value"),
}
HONOURED = frozenset(MessageRequest.__struct_fields__)
# At these values a parameter asks for nothing that is left out.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "temperature": (1,),
    "top_p": (1,),
    "metadata": ({},),
    "service_tier": ("auto", "standard_only"),
}


class ParsedRequest(msgspec.Struct, frozen=True):
    """A checked request; `ignored` names the parameters that have no effect here."""

    conversation: Conversation
    streams: bool
    ignored: tuple[str, ...]
    request_id: str
    session_id: str | None = None

    @property
    def conversations(self) -> list[Conversation]:
        """What is asked."""
        return [self.conversation]

    def stream(self) -> MessageStream:
        """Return what writes the events."""
        thinking = self.conversation.options.signed
        return MessageStream(new_id(), thinking=thinking, request_id=self.request_id)

    def render(self, batches: Iterable[list[Event]]) -> bytes:
        """Return the message as JSON."""
        return message(batches, new_id(), thinking=self.conversation.options.signed)


def parse(body: bytes, context: Context, *, counts: bool = False) -> ParsedRequest:
    """Read a request body, one that `counts` needs no bound. Raises BadRequest with the field in `param`."""
    fields = decoded(body)
    _check_refused(fields)
    request = checked(fields, MessageCount if counts else MessageRequest)
    if not request.model.strip():
        raise BadRequest("model must not be empty", param="model", code="invalid_value")
    if not request.messages:
        raise BadRequest("messages must hold at least one message", param="messages", code="invalid_value")
    noted: list[str] = []
    how = options(request, noted)
    offer = offer_of(request.tools or [], noted)
    tools, choice, parallel = chosen(request.tool_choice, offer)
    if tools:
        check_names(offer)
    conversation = Conversation(
        context.resolve_model(request.model),
        "" if request.system is None else content.texts(request.system, "system"),
        read_messages(request.messages, noted, asks=not counts),
        tools,
        msgspec.structs.replace(how, tool_choice=choice, parallel_tools=parallel),
        own_tools=offer.own(choice),
        folder=folder_named(fields.get("metadata")),
    )
    return ParsedRequest(conversation, bool(request.stream), (*_ignored(fields, request), *noted), context.request_id)


def _check_refused(fields: dict[str, Any]) -> None:
    for name, (reason, code) in REFUSED.items():
        if fields.get(name):
            raise BadRequest(f"{name} is not supported: {reason}.", param=name, code=code)


def _ignored(fields: dict[str, Any], request: MessageCount) -> list[str]:
    names = without_effect(fields, HONOURED, NEUTRAL)
    thinking = request.thinking
    if thinking is None:
        return names
    # The CLI decides how much the model thinks, by the effort.
    if thinking.type == "disabled":
        return [*names, "thinking"]
    return names if thinking.budget_tokens is None else [*names, "thinking.budget_tokens"]


Effort = Literal["low", "medium", "high", "xhigh", "max"]
EFFORTS: dict[str, Effort] = {"low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
# Whether there is thinking, and whether it is shown.
THINKING = {"enabled": True, "adaptive": True, "between_tools": True, "disabled": False}
DISPLAYS = {"summarized": True, "omitted": False}
FORMAT = "output_config.format"


def options(request: MessageCount, ignored: list[str]) -> Options:
    """Return a request's options, all but its choice among tools; what has no effect is added to `ignored`.

    Raises BadRequest naming the field.
    """
    config = request.output_config or OutputConfig()
    shown, signed = _thinking(request, ignored)
    return Options(
        effort=tuned(config.effort, EFFORTS, "output_config.effort", ignored),
        thinking=shown,
        max_tokens=request.max_tokens if isinstance(request, MessageRequest) else None,
        stop=stops(request.stop_sequences, "stop_sequences"),
        schema=_schema(config.format, FORMAT) or _schema(request.output_format, "output_format"),
        signed=signed,
    )


def _thinking(request: MessageCount, ignored: list[str]) -> tuple[bool, bool]:
    """Return whether thinking is shown, and whether the client gets its signatures."""
    thinking = request.thinking
    # A client that asks for thinking in a way not known here wants thinking.
    if thinking is None or tuned(thinking.type, THINKING, "thinking.type", ignored) is False:
        return False, False
    return tuned(thinking.display, DISPLAYS, "thinking.display", ignored) is not False, True


def _schema(form: dict[str, Any] | None, param: str) -> dict[str, Any] | None:
    if form is None:
        return None
    if form.get("type") != "json_schema":
        raise invalid(f"{param}.type", "must be json_schema")
    return answerable(form.get("schema"), f"{param}.schema")
