"""A request body becomes a conversation, or an error that names the field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from app.conversation import Conversation, Options
from app.dialects.dialect import Context, ResponseStore, StoredResponse, Stream
from app.dialects.fields import checked, decoded, shown
from app.dialects.parameters import NEUTRAL as SHARED
from app.dialects.parameters import answer_schema, effort, folder_named, tuned, without_effect
from app.dialects.responses import objects
from app.dialects.responses.items import Items
from app.dialects.responses.keeping import Keeping, KeptStream
from app.dialects.responses.response import finished
from app.dialects.responses.schema import ReasoningConfig, ResponseRequest, TextConfig
from app.dialects.responses.stream import ResponseStream
from app.dialects.responses.tools import Names, chosen
from app.dialects.responses.tools import offer as offer_of
from app.dialects.tools import check_names
from app.errors import BadRequest
from app.events import Event

# Clients count on these, so that an answer without them would be wrong.
REFUSED = {
    "conversation": "go on with previous_response_id, or send the whole input",
    "background": "the answer comes with the request",
    "prompt": "no prompts are stored here; send it as instructions",
}
HONOURED = frozenset(ResponseRequest.__struct_fields__).difference(("temperature", "top_p"))
NEUTRAL: dict[str, tuple[Any, ...]] = {
    **SHARED,
    "background": (False,),
    "include": ([],),
    "truncation": ("disabled",),
    "top_logprobs": (0,),
}
# Whether a summary of the thinking is wanted; there is one kind of it.
SUMMARIES = {"auto": True, "concise": True, "detailed": True, "none": False}


class ParsedRequest(msgspec.Struct, frozen=True):
    """A checked request; `ignored` names the parameters that have no effect here.

    `system` is what the input says as the system, `request` what the answer repeats; `stored` says to keep it in the
    `store`. `names` are those of functions in namespaces.
    """

    conversation: Conversation
    system: str
    request: ResponseRequest
    streams: bool
    stored: bool
    ignored: tuple[str, ...]
    names: Names
    store: ResponseStore
    session_id: str | None = None

    @property
    def conversations(self) -> list[Conversation]:
        """What is asked."""
        return [self.conversation]

    def stream(self) -> Stream:
        """Return what writes the events, and keeps the response at its end."""
        stream = ResponseStream(self._begun(), self.names, thinking=self.conversation.options.thinking)
        return KeptStream(stream, self._keeping()) if self.stored else stream

    def render(self, batches: Iterable[list[Event]]) -> bytes:
        """Return the response as JSON, once it is kept."""
        thinking = self.conversation.options.thinking
        if not self.stored:
            return msgspec.json.encode(finished(batches, self._begun(), self.names, thinking=thinking))
        keeping = self._keeping()
        response = finished(keeping.heard(batches), self._begun(), self.names, thinking=thinking)
        keeping.keep(response)
        return msgspec.json.encode(response)

    def _begun(self) -> dict[str, Any]:
        return objects.begun(objects.new_id(), self.request, stored=self.stored)

    def _keeping(self) -> Keeping:
        return Keeping(self.store, self.system, self.conversation.messages)


def parse(body: bytes, context: Context) -> ParsedRequest:
    """Read a request body. Raises BadRequest with the field in `param`."""
    fields = decoded(body)
    _check_endpoint(fields)
    request = checked(fields, ResponseRequest)
    if not request.model.strip():
        raise BadRequest("model must not be empty", param="model", code="invalid_value")
    noted: list[str] = []
    kept = context.responses()
    system, messages = Items(_before(request, kept), kept, noted).read(request.input)
    offer, names = offer_of(request.tools or [], noted)
    tools, choice = chosen(request.tool_choice, offer)
    how = msgspec.structs.replace(_options(request, noted), tool_choice=choice)
    if tools:
        check_names(offer)
    prompt = "\n\n".join(filter(None, (request.instructions, system)))
    return ParsedRequest(
        Conversation(
            context.resolve_model(request.model),
            prompt,
            messages,
            tools,
            how,
            own_tools=offer.own(choice),
            affinity=request.prompt_cache_key or "",
            folder=folder_named(request.metadata),
        ),
        system,
        request,
        bool(request.stream),
        request.store is not False,
        (*_ignored(fields, request), *noted),
        names,
        kept,
    )


def _check_endpoint(fields: dict[str, Any]) -> None:
    if "input" not in fields and "messages" in fields:
        raise BadRequest(
            "This endpoint takes `input`; `messages` belong to chat completions (/v1/chat/completions).",
            param="input",
            code="missing_required_parameter",
        )
    for name, reason in REFUSED.items():
        if fields.get(name):
            raise BadRequest(f"{name} is not supported: {reason}.", param=name, code="invalid_value")


def _before(request: ResponseRequest, kept: ResponseStore) -> StoredResponse | None:
    name = request.previous_response_id
    if name is None:
        return None
    before = kept.find(name)
    if before is None:
        raise BadRequest(
            f"previous_response_id: there is no response {shown(name)} here; it may have expired.",
            param="previous_response_id",
            code="previous_response_not_found",
        )
    return before


def _options(request: ResponseRequest, ignored: list[str]) -> Options:
    thinking = request.reasoning or ReasoningConfig()
    how_much, _ = effort(thinking.effort, "reasoning.effort", ignored)
    summary = tuned(thinking.summary or thinking.generate_summary, SUMMARIES, "reasoning.summary", ignored)
    return Options(
        effort=how_much,
        thinking=bool(summary),
        max_tokens=request.max_output_tokens or None,
        parallel_tools=request.parallel_tool_calls is not False,
        schema=answer_schema((request.text or TextConfig()).format, "text.format"),
    )


def _ignored(fields: dict[str, Any], request: ResponseRequest) -> list[str]:
    names = without_effect(fields, HONOURED, NEUTRAL)
    verbosity = None if request.text is None else request.text.verbosity
    return [*names, "text.verbosity"] if verbosity not in (None, "medium") else names
