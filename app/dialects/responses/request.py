"""A request body becomes a conversation, or an error that names the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from app.conversation import Conversation, Options
from app.dialects.body import checked, decoded
from app.dialects.fields import shown
from app.dialects.ignored import fit, tuned, without_effect
from app.dialects.openai.options import NEUTRAL as SHARED
from app.dialects.openai.options import answer_schema, effort
from app.dialects.responses.items import Find, Items
from app.dialects.responses.schema import ReasoningConfig, ResponseRequest, TextConfig
from app.dialects.responses.tools import Names, chosen
from app.dialects.responses.tools import offer as offer_of
from app.dialects.stored_response import StoredResponse
from app.dialects.tools import check_names
from app.errors import BadRequest

# What a client would count on, so that leaving it out would be a wrong answer.
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
# How the thinking is told of; it comes in one way.
SUMMARIES = {"auto": True, "concise": True, "detailed": True, "none": False}


class ParsedRequest(msgspec.Struct, frozen=True):
    """A checked request; `ignored` names the parameters that have no effect here.

    `system` is what the input says as the system, `request` what the answer repeats; `stored` says to keep it.
    `names` are those of functions in namespaces.
    """

    conversation: Conversation
    system: str
    request: ResponseRequest
    stream: bool
    stored: bool
    ignored: tuple[str, ...]
    names: Names


def parse(body: bytes, resolve_model: Callable[[str], str], find: Find) -> ParsedRequest:
    """Read a request body; `find` returns a response that was kept. Raises BadRequest with the field in `param`."""
    fields = decoded(body)
    _check_endpoint(fields)
    request = checked(fields, ResponseRequest)
    if not request.model.strip():
        raise BadRequest("model must not be empty", param="model", code="invalid_value")
    noted: list[str] = []
    system, turns = Items(_before(request, find), find, noted).read(request.input)
    offer, names = offer_of(request.tools or [], noted)
    tools, choice = chosen(request.tool_choice, offer)
    how = msgspec.structs.replace(_options(request, noted), tool_choice=choice)
    if tools:
        check_names(offer)
    prompt = "\n\n".join(filter(None, (request.instructions, system)))
    return ParsedRequest(
        Conversation(
            resolve_model(request.model),
            prompt,
            turns,
            tools,
            how,
            own_tools=offer.own(choice),
            affinity=request.prompt_cache_key or "",
        ),
        system,
        request,
        bool(request.stream),
        request.store is not False,
        fit((*_ignored(fields, request), *noted)),
        names,
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


def _before(request: ResponseRequest, find: Find) -> StoredResponse | None:
    name = request.previous_response_id
    if name is None:
        return None
    before = find(name)
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
