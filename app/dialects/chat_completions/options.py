"""How the answer is to be made: limits, stops and effort."""

from __future__ import annotations

from app.conversation import Options, ToolChoice
from app.dialects.chat_completions.schema import ChatRequest
from app.dialects.fields import invalid
from app.dialects.openai.answer_schema import answer_schema
from app.dialects.openai.effort import Effort, effort
from app.dialects.stops import stops


def options(request: ChatRequest, ignored: list[str]) -> Options:
    """Return a request's options, all but its choice among tools; what has no effect is added to `ignored`.

    Raises BadRequest naming the field.
    """
    if request.modalities is not None and "audio" in request.modalities:
        raise invalid("modalities", "asks for audio, which Claude does not give; ask for text")
    how_much, thinking = _effort(request, ignored)
    return Options(
        effort=how_much,
        thinking=thinking,
        max_tokens=request.max_completion_tokens or request.max_tokens or None,
        stop=stops(request.stop),
        parallel_tools=request.parallel_tool_calls is not False,
        tool_choice=ToolChoice(),
        schema=answer_schema(request.response_format, "response_format", "json_schema"),
    )


def _effort(request: ChatRequest, ignored: list[str]) -> tuple[Effort | None, bool]:
    if request.reasoning_effort is None and request.reasoning is not None:
        return effort(request.reasoning.effort, "reasoning.effort", ignored)
    return effort(request.reasoning_effort, "reasoning_effort", ignored)
