"""Parameters that mean the same at every endpoint: bounds, effort, the answer's form, and what asks for nothing."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from app.dialects.fields import function_name, mapping, one_of, string
from app.dialects.ignored import tuned
from app.dialects.json_schema import answerable

# How many answers may be asked for at once, each of which is a turn.
MOST_ANSWERS = 8
# No model comes near; larger numbers would mean nothing but trouble for whoever counts in 32 bits.
MOST_TOKENS = 2**31 - 1

Answers = Annotated[int, msgspec.Meta(ge=1, le=MOST_ANSWERS)]
Tokens = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]
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


KINDS = ("text", "json_object", "json_schema")


def answer_schema(given: dict[str, Any] | None, param: str, inner: str = "") -> dict[str, Any] | None:
    """Return the schema of the answer, None for text; its description stands in the field `inner`, if that is named.

    Like OpenAI's, the schema must be about an object; `strict` has no effect, as every answer is checked.
    Raises BadRequest naming the field.
    """
    if given is None:
        return None
    kind = one_of(given.get("type"), KINDS, f"{param}.type")
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
