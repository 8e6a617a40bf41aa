"""What an answer is made of, in Ollama's words."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from app.blocks import AnswerBlock
from app.events import TurnEnd

# The Messages API's stop reasons in Ollama's words; clients know no others.
DONE_REASONS = {"max_tokens": "length", "model_context_window_exceeded": "length"}
NANOSECONDS = 10**9
# Puts what is said into the place where the endpoint has it.
Form = Callable[[dict[str, Any]], dict[str, Any]]


def of_chat(said: dict[str, Any]) -> dict[str, Any]:
    """Return what a chat says: a message."""
    return {"message": {"role": "assistant", "content": "", **said}}


def of_generate(said: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of a text: the text itself."""
    return {"response": said.get("content", ""), **{name: value for name, value in said.items() if name != "content"}}


class Clock:
    """Tells how long the parts of an answer took, from its making on."""

    def __init__(self) -> None:
        self._began = self._answering = time.monotonic()

    def answers(self) -> None:
        """Note that the model begins to answer."""
        self._answering = time.monotonic()

    def durations(self) -> dict[str, int]:
        """Return them, in nanoseconds."""
        now = time.monotonic()
        return {
            "total_duration": int((now - self._began) * NANOSECONDS),
            "load_duration": 0,
            "prompt_eval_duration": int((self._answering - self._began) * NANOSECONDS),
            "eval_duration": int((now - self._answering) * NANOSECONDS),
        }


def opening(model: str) -> dict[str, Any]:
    """Return what every object begins with."""
    now = dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")
    return {"model": model, "created_at": now}


def ending(end: TurnEnd, clock: Clock) -> dict[str, Any]:
    """Return what the last object says of the answer."""
    usage = end.usage
    return {
        "done": True,
        "done_reason": DONE_REASONS.get(end.stop_reason, "stop"),
        **clock.durations(),
        "prompt_eval_count": usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens,
        "eval_count": usage.output_tokens,
    }


def loaded(model: str, form: Form, *, unloads: bool) -> bytes:
    """Return the answer to a request that asks for nothing."""
    reason = "unload" if unloads else "load"
    return msgspec.json.encode({**opening(model), **form({}), "done": True, "done_reason": reason})


def call(block: AnswerBlock, index: int) -> dict[str, Any]:
    """Return a call; its arguments are an object here."""
    try:
        arguments = msgspec.json.decode(block.text, type=dict) if block.pieces else {}
    except (msgspec.DecodeError, RecursionError):
        arguments = {}  # cut by num_predict
    return {"id": block.id, "function": {"index": index, "name": block.name, "arguments": arguments}}


# Between thinking and what an agent does, where both are shown.
APART = "\n\n"


def parted(before: Sequence[AnswerBlock]) -> bool:
    """Tell whether something must part a step from what was shown before it: thinking, not other steps."""
    shown = [block.kind for block in before if block.kind in ("thinking", "step")]
    return shown[-1:] == ["thinking"]


def whole(blocks: Sequence[AnswerBlock]) -> dict[str, Any]:
    """Return all that is said in these blocks."""
    said: dict[str, Any] = {"content": "", "thinking": "", "tool_calls": []}
    for index, block in enumerate(blocks):
        if block.kind == "tool_use":
            said["tool_calls"].append(call(block, len(said["tool_calls"])))
        elif block.kind == "text":
            said["content"] += block.text
        elif block.kind in ("thinking", "step"):
            apart = APART if block.kind == "step" and parted(blocks[:index]) else ""
            said["thinking"] += apart + block.text
    return {name: value for name, value in said.items() if value or name == "content"}
