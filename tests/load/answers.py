"""What the stand-in API answers: words from the asker's own messages, so that each answer proves whose it is."""

from __future__ import annotations

import re
import time
from typing import Any, NamedTuple

from talk import turns

from app.standin import Failure, Reply, Text, ToolUse

LONG, HUGE, PACED = 300, 3000, 40
# Between the pieces of an answer, in seconds.
PAUSES = {"paced": 0.05, "bounded": 0.02}
# Of each answer, so that the ledger has tokens of every kind.
CACHED = {"cache_read": 900, "cache_creation": 120}
# Its first two digits are the number of the asker's kind.
MARK = re.compile(r"mark([0-9a-f]{2})[0-9a-f]{10}")
QUESTION = re.compile(r"(mark[0-9a-f]{12}) asks for (\w+), number (\d+)\.")
# Who has had its answer broken off.
BROKEN: set[str] = set()


class Asked(NamedTuple):
    """Who asks, for what kind of answer, and its number."""

    mark: str
    kind: str
    number: int

    @property
    def text(self) -> str:
        """The question."""
        return f"{self.mark} asks for {self.kind}, number {self.number}."

    def pieces(self, marks: set[str], messages: int) -> list[str]:
        """Return the answer: who is named in all that the API was told, and how many messages that were."""
        whose = f"{self.kind} {self.number} for {'+'.join(sorted(marks))} after {messages}. "
        count = {"long": LONG, "slow": HUGE, "paced": PACED, "bounded": PACED}.get(self.kind, 2)
        return [whose, *(f"{self.mark}/{number} " for number in range(count))]

    def expected(self, messages: int) -> str:
        """Return the answer that is the asker's own and complete."""
        return "".join(self.pieces({self.mark}, messages))


def result(mark: str, number: int) -> str:
    """Return what a tool found in a round."""
    return f"{mark} found {number}"


def reply(body: dict[str, Any]) -> Reply | Failure:
    """Answer as the last question asks."""
    told = turns(body)
    texts = [block["text"] for role, blocks in told if role == "user" for block in blocks if block["type"] == "text"]
    asked = [Asked(match[1], match[2], int(match[3])) for text in texts for match in QUESTION.finditer(text)][-1]
    match asked.kind:
        case "limit":
            return Failure.plan_limit(int(time.time()) + 3600)
        case "overloaded":
            return Failure.overloaded()
        case "refused":
            return Failure(400, "invalid_request_error", f"{asked.mark} asks for too much.")
        case "tools":
            return _tools(asked, told)
    marks = {match[0] for match in MARK.finditer(str(told))}
    text = Text(asked.pieces(marks, len(told)), pause=PAUSES.get(asked.kind, 0))
    if asked.kind == "bounded":
        # Word by word: even a model that is cut after its first words takes some time for them.
        text = Text([f"{word} " for word in "".join(text.chunks).split()], pause=text.pause)
        return Reply((text,), stop_reason="max_tokens", **CACHED)
    if asked.kind == "broken" and asked.mark not in BROKEN:
        BROKEN.add(asked.mark)
        return Reply((text,), cut_after=1, **CACHED)
    return Reply((text,), **CACHED)


def _tools(asked: Asked, told: list[tuple[str, Any]]) -> Reply:
    results = [block for _, blocks in told for block in blocks if block["type"] == "tool_result"]
    if len(results) < asked.number:
        return Reply((ToolUse("look", {"mark": asked.mark, "round": len(results)}),), **CACHED)
    found = [part["text"] for block in results for part in block["content"]]
    return Reply((Text([f"{one}; " for one in found]),), **CACHED)
