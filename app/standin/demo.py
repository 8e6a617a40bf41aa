"""What the demonstration answers: a few friendly words about the request it received."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from app.standin.reply import Reply, Text

PAUSE_SECONDS = 0.03
MAX_QUOTE = 200
# Claude Code adds notes of its own to a person's words; nobody wants those echoed.
NOTE = re.compile(r"<system-reminder>.*?</system-reminder>\s*", re.DOTALL)


def demo_reply(body: Mapping[str, Any]) -> Reply:
    """Answer any request without a model: say what this is, count what arrived, quote the last question."""
    messages = [message for message in body.get("messages") or [] if message.get("role") in ("user", "assistant")]
    turns = [_text(message.get("content")) for message in messages]
    asked = [text for text, message in zip(turns, messages, strict=True) if message.get("role") == "user" and text]
    question = asked[-1][:MAX_QUOTE] if asked else ""
    count, size = len(turns), sum(map(len, turns))
    sentences = [
        "Hello! This is a demo: it needs no login. ",
        "The whole way is real, the HTTP API, the claude CLI and its control protocol: only the model is not. ",
        f"I received {count} turn{'' if count == 1 else 's'} with {size} character{'' if size == 1 else 's'}. ",
    ]
    if question:
        sentences.append(f"You last said: {question}")
    words = re.findall(r"\s*\S+\s*", "".join(sentences))
    return Reply((Text(["".join(words[start : start + 3]) for start in range(0, len(words), 3)], pause=PAUSE_SECONDS),))


def _text(content: Any) -> str:
    if isinstance(content, str):
        return NOTE.sub("", content).strip()
    return "\n".join(filter(None, map(_text, _strings(content)))) if isinstance(content, list) else ""


def _strings(blocks: Iterable[Any]) -> list[str]:
    texts = [block.get("text") for block in blocks if isinstance(block, dict) and block.get("type") == "text"]
    return [text for text in texts if isinstance(text, str)]
