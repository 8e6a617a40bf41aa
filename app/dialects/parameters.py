"""Parameters that several dialects have: bounds, effort, the answer's form, what ends it, and what has no effect."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from app.dialects.fields import function_name, invalid, mapping, one_of, string
from app.dialects.json_schema import answerable

# How many answers may be asked for at once, each of which is a turn.
MAX_ANSWERS = 8
# No model comes near, and larger numbers would overflow 32 bits somewhere.
MAX_TOKENS = 2**31 - 1

Answers = Annotated[int, msgspec.Meta(ge=1, le=MAX_ANSWERS)]
Tokens = Annotated[int, msgspec.Meta(ge=0, le=MAX_TOKENS)]
Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]
TopP = Annotated[float, msgspec.Meta(ge=0, le=1)]


class StreamOptions(msgspec.Struct):
    """How a stream ends."""

    include_usage: bool | None = None


# At these values a parameter asks for nothing that is left out; mostly OpenAI's defaults.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "temperature": (1,),
    "top_p": (1,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "max_tokens": (0,),
    "metadata": ({},),
    "service_tier": ("auto", "default"),
    "store": (False,),
}


UNTHINKING = "none"
Effort = Literal["low", "medium", "high", "xhigh", "max"]
EFFORTS: dict[str, Effort] = {
    UNTHINKING: "low",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}


def effort(word: str | None, param: str, ignored: list[str]) -> tuple[Effort | None, bool]:
    """Return the CLI's word for an effort, and whether thinking is asked for; `ignored` gets an unknown `param`."""
    known = tuned(word, EFFORTS, param, ignored)
    return known, known is not None and word != UNTHINKING


FORMATS = ("text", "json_object", "json_schema")


def folder_named(metadata: Any) -> str | None:
    """Return the folder that a request's metadata names for an agent, if any; what else is in them is the client's."""
    folder = metadata.get("folder") if isinstance(metadata, dict) else None
    return folder if isinstance(folder, str) and folder.strip() else None


def answer_schema(given: dict[str, Any] | None, param: str, inner: str = "") -> dict[str, Any] | None:
    """Return the schema of the answer, None for text; its description stands in the field `inner`, if that is named.

    Like OpenAI's, the schema must be about an object; `strict` has no effect, as every answer is checked.
    Raises BadRequest naming the field.
    """
    if given is None:
        return None
    kind = one_of(given.get("type"), FORMATS, f"{param}.type")
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "object"}
    place = f"{param}.{inner}" if inner else param
    wanted = mapping(given.get(inner), place) if inner else given
    if wanted.get("name") is not None:
        function_name(wanted["name"], f"{place}.name")
    schema = answerable(wanted.get("schema"), f"{place}.schema")
    description = wanted.get("description")
    if description is not None and string(description, f"{place}.description"):
        schema.setdefault("description", description)  # where the model can read it
    return schema


MAX_STOPS = 16
# Of one, in characters: each piece of an answer is compared with the beginnings of all.
MAX_STOP_CHARACTERS = 500


def stops(given: Any, param: str = "stop") -> tuple[str, ...]:
    """Return the texts that end an answer, empty ones left out. Raises BadRequest naming the text."""
    if given is None:
        return ()
    if isinstance(given, str):
        return (_stop(given, param),) if given else ()
    if not isinstance(given, list):
        raise invalid(param, "must be a string or an array of strings")
    if len(given) > MAX_STOPS:
        raise invalid(param, f"must hold at most {MAX_STOPS} strings, not {len(given)}")
    return tuple(filter(None, (_stop(stop, f"{param}[{index}]") for index, stop in enumerate(given))))


def _stop(given: Any, param: str) -> str:
    if len(stop := string(given, param)) > MAX_STOP_CHARACTERS:
        raise invalid(param, f"must have at most {MAX_STOP_CHARACTERS} characters")
    return stop


Word = TypeVar("Word")


def without_effect(
    fields: Mapping[str, Any], honoured: Collection[str], neutral: Mapping[str, tuple[Any, ...]]
) -> list[str]:
    """Return the names of `fields` that ask for something and are not `honoured`.

    At its `neutral` values a parameter asks for nothing.
    """
    return [
        name
        for name, value in fields.items()
        if name not in honoured and value is not None and value not in neutral.get(name, ())
    ]


def tuned(value: str | None, known: Mapping[str, Word], param: str, ignored: list[str]) -> Word | None:
    """Return the meaning of an option that only tunes the answer; None, its default, for null.

    A newer client may send a value that is not known: it means None too, and its `param` is added to `ignored`.
    """
    if value is None or value in known:
        return None if value is None else known[value]
    ignored.append(param)
    return None
