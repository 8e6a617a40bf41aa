"""How the answer is to be made: limits, stops, effort, thinking and form."""

from __future__ import annotations

from typing import Any, Literal

from app.conversation import Options
from app.dialects.fields import invalid
from app.dialects.ignored import tuned
from app.dialects.json_schema import answerable
from app.dialects.messages.schema import MessageRequest, OutputConfig
from app.dialects.stops import stops

Effort = Literal["low", "medium", "high", "xhigh", "max"]
EFFORTS: dict[str, Effort] = {"low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
# Whether there is thinking, and whether it is shown.
THINKING = {"enabled": True, "adaptive": True, "between_tools": True, "disabled": False}
DISPLAYS = {"summarized": True, "omitted": False}
FORMAT = "output_config.format"


def options(request: MessageRequest, ignored: list[str]) -> Options:
    """Return a request's options, all but its choice among tools; what has no effect is added to `ignored`.

    Raises BadRequest naming the field.
    """
    config = request.output_config or OutputConfig()
    shown, signed = _thinking(request, ignored)
    return Options(
        effort=tuned(config.effort, EFFORTS, "output_config.effort", ignored),
        thinking=shown,
        max_tokens=request.max_tokens,
        stop=stops(request.stop_sequences, "stop_sequences"),
        schema=_schema(config.format, FORMAT) or _schema(request.output_format, "output_format"),
        signed=signed,
    )


def _thinking(request: MessageRequest, ignored: list[str]) -> tuple[bool, bool]:
    """Return whether thinking is shown, and whether the client gets its signatures."""
    thinking = request.thinking
    # Who writes of thinking in a new way wants it.
    if thinking is None or tuned(thinking.type, THINKING, "thinking.type", ignored) is False:
        return False, False
    return tuned(thinking.display, DISPLAYS, "thinking.display", ignored) is not False, True


def _schema(form: dict[str, Any] | None, param: str) -> dict[str, Any] | None:
    if form is None:
        return None
    if form.get("type") != "json_schema":
        raise invalid(f"{param}.type", "must be json_schema")
    return answerable(form.get("schema"), f"{param}.schema")
