"""A request body becomes a conversation, or none where it only loads the model, or an error that names the field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from app.conversation import Block, Conversation, Message, Options, TextBlock
from app.dialects.fields import checked, decoded, invalid, mapping, shown
from app.dialects.json_schema import answerable
from app.dialects.ollama.messages import Reader, pictures
from app.dialects.ollama.schema import OllamaChat, OllamaGenerate
from app.dialects.parameters import EFFORTS, MAX_TOKENS, stops, tuned, without_effect
from app.dialects.tools import Offer, check_names, check_number, definition
from app.errors import BadRequest

LATEST = ":latest"
HONOURED_OPTIONS = frozenset({"num_predict", "stop"})
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "raw": (False,),
    "truncate": (True, False),
    "shift": (True, False),
    "context": ([],),
    "template": ("",),
    "logprobs": (False,),
}


class ParsedRequest(msgspec.Struct, frozen=True):
    """A checked request; `model` is the name the client gave, `ignored` names the parameters that have no effect here.

    Without a `conversation` it asks for nothing but that the model be loaded, or unloaded where it `unloads`.
    """

    model: str
    conversation: Conversation | None
    stream: bool
    unloads: bool
    ignored: tuple[str, ...]


def parse_chat(body: bytes, resolve_model: Callable[[str], str]) -> ParsedRequest:
    """Read a body for a chat. Raises BadRequest with the field in `param`."""
    fields = decoded(body)
    request = checked(fields, OllamaChat)
    noted: list[str] = []
    conversation = None
    if request.messages:
        system, messages = Reader(noted).read(request.messages)
        offer = _offer(request.tools or [], noted)
        conversation = Conversation(
            _resolved(request.model, resolve_model), system, messages, tuple(offer.functions), _options(request, noted)
        )
    return _parsed(fields, request, conversation, noted)


def parse_generate(body: bytes, resolve_model: Callable[[str], str]) -> ParsedRequest:
    """Read a body for the answer to a text. Raises BadRequest with the field in `param`."""
    fields = decoded(body)
    request = checked(fields, OllamaGenerate)
    if request.suffix:
        raise invalid("suffix", "is not supported: Claude does not fill a gap; ask for what is missing in the prompt")
    noted: list[str] = []
    conversation = None
    text = request.prompt or ""
    asked: list[Block] = [*([TextBlock(text)] if text.strip() else []), *pictures(request.images, "images")]
    if asked:
        conversation = Conversation(
            _resolved(request.model, resolve_model),
            request.system or "",
            (Message("user", tuple(asked)),),
            options=_options(request, noted),
        )
    return _parsed(fields, request, conversation, noted)


def plain(model: str) -> str:
    """Return a model's name without the tag by which Ollama means any."""
    return model.strip().removesuffix(LATEST)


def _resolved(model: str, resolve_model: Callable[[str], str]) -> str:
    if not plain(model):
        raise BadRequest("model must not be empty", param="model", code="invalid_value")
    return resolve_model(plain(model))


def _parsed(
    fields: Mapping[str, Any],
    request: OllamaChat | OllamaGenerate,
    conversation: Conversation | None,
    noted: list[str],
) -> ParsedRequest:
    honoured = set(request.__struct_fields__)
    # How long the model stays loaded: it is never loaded, nor unloaded, here.
    names = without_effect(fields, honoured.difference(("keep_alive",)), NEUTRAL)
    options = without_effect(request.options or {}, HONOURED_OPTIONS, {})
    return ParsedRequest(
        request.model,
        conversation,
        request.stream is not False,
        request.keep_alive in (0, "0", "0s"),
        (*names, *(f"options.{name}" for name in options), *noted),
    )


def _offer(tools: list[Any], ignored: list[str]) -> Offer:
    check_number(tools, "tools")
    offer = Offer()
    for index, given in enumerate(tools):
        place = f"tools[{index}]"
        tool = mapping(given, place)
        if "function" in tool:
            place = f"{place}.function"
            offer.add(definition(mapping(tool["function"], place), place), place)
        else:
            offer.leave_out(tool, place, ignored)
    check_names(offer)
    return offer


def _options(request: OllamaChat | OllamaGenerate, ignored: list[str]) -> Options:
    given = request.options or {}
    think = request.think
    effort = tuned(think, EFFORTS, "think", ignored) if isinstance(think, str) else None
    return Options(
        effort=effort,
        thinking=think is True or effort is not None,
        max_tokens=_most(given.get("num_predict")),
        stop=stops(given.get("stop"), "options.stop"),
        schema=_schema(request.format),
    )


def _most(given: Any) -> int | None:
    """Return the bound of an answer; a negative one means none."""
    if given is None:
        return None
    if not isinstance(given, int | float) or isinstance(given, bool) or int(given) != given or given > MAX_TOKENS:
        raise invalid("options.num_predict", f"must be a whole number of at most {MAX_TOKENS}, not {shown(given)}")
    return int(given) if given > 0 else None


def _schema(given: Any) -> dict[str, Any] | None:
    if given is None or given == "":
        return None
    if given == "json":
        return {"type": "object"}
    if not isinstance(given, dict):
        raise invalid("format", f"must be 'json' or a JSON Schema, not {shown(given)}")
    return answerable(given, "format")
