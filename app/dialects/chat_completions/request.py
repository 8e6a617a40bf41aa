"""A request body becomes a conversation, or an error that names the field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from app.conversation import Conversation, Options, ToolChoice
from app.dialects.anthropic import content
from app.dialects.chat_completions.messages import system_and_messages
from app.dialects.chat_completions.response import completion
from app.dialects.chat_completions.schema import ChatRequest
from app.dialects.chat_completions.stream import ChatStream
from app.dialects.chat_completions.tools import chosen
from app.dialects.chat_completions.tools import offer as offer_of
from app.dialects.dialect import Context
from app.dialects.fields import checked, decoded, invalid
from app.dialects.openai.answers import Identity
from app.dialects.parameters import NEUTRAL as SHARED
from app.dialects.parameters import answer_schema, effort, folder_named, stops, without_effect
from app.dialects.tools import Tools, check_names
from app.errors import BadRequest
from app.events import Event


class InputInstead(BadRequest):
    """The body is one for the Responses API, as Cursor sends it here."""


class ParsedRequest(msgspec.Struct, frozen=True):
    """A checked request for `n` answers; `ignored` names the parameters that have no effect here.

    Its `session_id` is the one in the body, if any.
    """

    conversation: Conversation
    streams: bool
    include_usage: bool
    ignored: tuple[str, ...]
    n: int = 1
    session_id: str | None = None

    @property
    def conversations(self) -> list[Conversation]:
        """What is asked, once for each answer."""
        return [self.conversation] * self.n

    def stream(self) -> ChatStream:
        """Return what writes the chunks."""
        return ChatStream(
            Identity.new("chatcmpl"),
            self.conversation.model,
            include_usage=self.include_usage,
            reasoning=self.conversation.options.thinking,
            n=self.n,
        )

    def render(self, batches: Iterable[list[Event]]) -> bytes:
        """Return the completion as JSON."""
        reasoning = self.conversation.options.thinking
        return completion(batches, Identity.new("chatcmpl"), reasoning=reasoning, n=self.n)


def parse(body: bytes, context: Context) -> ParsedRequest:
    """Read a request body. Raises BadRequest with the field in `param`.

    In a session, which the body or a header names, the messages may go on with what was said before.
    """
    fields = decoded(body)
    _check_endpoint(fields)
    request = checked(fields, ChatRequest)
    if not request.model.strip():
        raise BadRequest("model must not be empty", param="model", code="invalid_value")
    if not request.messages:
        raise BadRequest("messages must hold at least one message", param="messages", code="invalid_value")
    continues = context.in_session or request.session_id is not None
    noted: list[str] = []
    system, messages = system_and_messages(request.messages, noted, continues=continues)
    if request.system is not None:
        system = "\n\n".join(filter(None, (content.texts(request.system, "system"), system)))
    tools, own_tools, how = _offer(request, noted)
    ending = request.stream_options
    return ParsedRequest(
        conversation=Conversation(
            context.resolve_model(request.model),
            system,
            messages,
            tools,
            how,
            own_tools=own_tools,
            affinity=request.prompt_cache_key or "",
            folder=folder_named(fields.get("metadata")),
        ),
        streams=bool(request.stream),
        include_usage=bool(request.stream and ending is not None and ending.include_usage),
        ignored=(*without_effect(fields, HONOURED - _overruled(request), NEUTRAL), *noted),
        n=request.n or 1,
        session_id=request.session_id,
    )


def _check_endpoint(fields: dict[str, Any]) -> None:
    if "messages" not in fields and "input" in fields:
        raise InputInstead(
            "This endpoint takes `messages`; `input` belongs to the Responses API (/v1/responses).",
            param="messages",
            code="missing_required_parameter",
        )


def _offer(request: ChatRequest, noted: list[str]) -> tuple[Tools, tuple[str, ...], Options]:
    """Return the tools the model gets to see, Claude Code's own too, and the options.

    `tools` overrule the older `functions`.
    """
    how = options(request, noted)
    old = not request.tools and bool(request.functions)
    param = "functions" if old else "tools"
    offer = offer_of((request.functions if old else request.tools) or [], param, noted)
    if request.tool_choice is not None or request.tools:
        tools, choice, several = chosen(request.tool_choice, offer, "tool_choice")
    else:
        tools, choice, several = chosen(request.function_call, offer, "function_call")
    if tools:
        check_names(offer)
    # The old form has room for one call.
    parallel = how.parallel_tools and several and not old
    return tools, offer.own(choice), msgspec.structs.replace(how, tool_choice=choice, parallel_tools=parallel)


def options(request: ChatRequest, ignored: list[str]) -> Options:
    """Return a request's options, all but its choice among tools; what has no effect is added to `ignored`.

    Raises BadRequest naming the field.
    """
    if request.modalities is not None and "audio" in request.modalities:
        raise invalid("modalities", "asks for audio, which Claude does not give; ask for text")
    word, param = request.reasoning_effort, "reasoning_effort"
    if word is None and request.reasoning is not None:
        word, param = request.reasoning.effort, "reasoning.effort"
    how_much, thinking = effort(word, param, ignored)
    return Options(
        effort=how_much,
        thinking=thinking,
        max_tokens=request.max_completion_tokens or request.max_tokens or None,
        stop=stops(request.stop),
        parallel_tools=request.parallel_tool_calls is not False,
        tool_choice=ToolChoice(),
        schema=answer_schema(request.response_format, "response_format", "json_schema"),
    )


UNUSED = ("temperature", "top_p")
HONOURED = frozenset(ChatRequest.__struct_fields__).difference(UNUSED)
NEUTRAL: dict[str, tuple[Any, ...]] = {
    **SHARED,
    "logprobs": (False,),
    "top_logprobs": (0,),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "modalities": (["text"],),
    "verbosity": ("medium",),
}


def _overruled(request: ChatRequest) -> set[str]:
    """Return the honoured names that another one in this request leaves without effect."""
    names = set()
    if request.max_completion_tokens and request.max_completion_tokens != request.max_tokens:
        names.add("max_tokens")
    if request.tools:
        names.update(("functions", "function_call"))
    elif request.tool_choice is not None:
        names.add("function_call")
    if request.reasoning is not None and (request.reasoning_effort or request.reasoning.effort is None):
        names.add("reasoning")
    if request.modalities is not None and "text" not in request.modalities:
        names.add("modalities")
    return names
