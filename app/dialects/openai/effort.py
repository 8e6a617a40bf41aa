"""How much to think, in OpenAI's words."""

from __future__ import annotations

from typing import Literal

from app.dialects.ignored import tuned

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
