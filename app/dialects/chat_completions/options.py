"""How the answer is to be made: limits, stops and effort."""

from __future__ import annotations

from typing import Literal

from app.conversation import Options, ToolChoice
from app.dialects.chat_completions.response_format import answer_schema
from app.dialects.chat_completions.schema import ChatRequest
from app.dialects.fields import invalid, one_of
from app.dialects.openai.options import stops

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


def options(request: ChatRequest) -> Options:
    """Return a request's options, all but its choice among tools. Raises BadRequest naming the field."""
    if request.modalities is not None and "audio" in request.modalities:
        raise invalid("modalities", "asks for audio, which Claude does not give; ask for text")
    effort, thinking = _effort(request)
    return Options(
        effort=effort,
        thinking=thinking,
        max_tokens=request.max_completion_tokens or request.max_tokens or None,
        stop=stops(request.stop),
        parallel_tools=request.parallel_tool_calls is not False,
        tool_choice=ToolChoice(),
        schema=answer_schema(request.response_format),
    )


def _effort(request: ChatRequest) -> tuple[Effort | None, bool]:
    word, param = request.reasoning_effort, "reasoning_effort"
    if word is None and request.reasoning is not None:
        word, param = request.reasoning.effort, "reasoning.effort"
    if word is None:
        return None, False
    return EFFORTS[one_of(word, EFFORTS, param)], word != UNTHINKING
