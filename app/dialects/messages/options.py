"""How the answer is to be made: limits, stops, effort, thinking and form."""

from __future__ import annotations

from typing import Any, Literal, cast

from app.conversation import Options
from app.dialects.fields import invalid, one_of
from app.dialects.json_schema import answerable
from app.dialects.messages.schema import MessageRequest, OutputConfig
from app.dialects.stops import stops

EFFORTS = ("low", "medium", "high", "xhigh", "max")
THINKING = ("enabled", "adaptive", "between_tools", "disabled")
DISPLAYS = ("summarized", "omitted")
FORMAT = "output_config.format"


def options(request: MessageRequest) -> Options:
    """Return a request's options, all but its choice among tools. Raises BadRequest naming the field."""
    config = request.output_config or OutputConfig()
    shown, signed = _thinking(request)
    return Options(
        effort=_effort(config.effort),
        thinking=shown,
        max_tokens=request.max_tokens,
        stop=stops(request.stop_sequences, "stop_sequences"),
        schema=_schema(config.format, FORMAT) or _schema(request.output_format, "output_format"),
        signed=signed,
    )


def _effort(word: str | None) -> Literal["low", "medium", "high", "xhigh", "max"] | None:
    if word is None:
        return None
    return cast('Literal["low", "medium", "high", "xhigh", "max"]', one_of(word, EFFORTS, "output_config.effort"))


def _thinking(request: MessageRequest) -> tuple[bool, bool]:
    """Return whether thinking is shown, and whether the client gets its signatures."""
    thinking = request.thinking
    if thinking is None or one_of(thinking.type, THINKING, "thinking.type") == "disabled":
        return False, False
    if thinking.display is not None:
        one_of(thinking.display, DISPLAYS, "thinking.display")
    return thinking.display != "omitted", True


def _schema(form: dict[str, Any] | None, param: str) -> dict[str, Any] | None:
    if form is None:
        return None
    if form.get("type") != "json_schema":
        raise invalid(f"{param}.type", "must be json_schema")
    return answerable(form.get("schema"), f"{param}.schema")
