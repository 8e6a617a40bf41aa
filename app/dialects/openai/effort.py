"""How much to think, in OpenAI's words."""

from __future__ import annotations

from typing import Literal

from app.dialects.fields import one_of

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


def effort(word: str | None, param: str) -> tuple[Effort | None, bool]:
    """Return the CLI's word for an effort, and whether thinking is asked for. Raises BadRequest naming `param`."""
    if word is None:
        return None, False
    return EFFORTS[one_of(word, EFFORTS, param)], word != UNTHINKING
