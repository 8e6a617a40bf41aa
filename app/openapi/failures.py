"""The errors that routes answer, in OpenAI's words and in Anthropic's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from app.dialects.messages import failures as messages
from app.errors import ClientGone, ProxyError

STRING = {"type": "string"}
REQUEST_ID = {"description": "What the log calls this request.", "schema": STRING}
# The schema of an error's body, and what makes its status, by whose words they are.
OPENAI, ANTHROPIC = "", "Anthropic"
STATUS: dict[str, Callable[[ProxyError], int]] = {OPENAI: lambda error: error.status, ANTHROPIC: messages.status}


def failure(status: int, words: str = OPENAI) -> dict[str, str]:
    """Return a reference to one of `failures`."""
    return {"$ref": f"#/components/responses/{_name(status, words)}"}


def failures() -> dict[str, dict[str, Any]]:
    """Return the response of each status an error can have, by name."""
    return {
        _name(status, words): _response(sentences, f"{words}Error")
        for words in STATUS
        for status, sentences in sorted(_told(words).items())
    }


def failing(words: str = OPENAI) -> list[int]:
    """Return the statuses that errors can have."""
    return sorted(_told(words))


def _told(words: str) -> dict[int, list[str]]:
    told: dict[int, list[str]] = {}
    for kind in _kinds(ProxyError):
        if kind is not ClientGone:
            code = f"`{kind.code}`: " if kind.code else ""
            first = (kind.__doc__ or "").partition("\n")[0] if kind is not ProxyError else "The log has the reason."
            told.setdefault(STATUS[words](kind("")), []).append(code + first)
    return told


def _response(sentences: list[str], schema: str) -> dict[str, Any]:
    return {
        "description": " ".join(sentences),
        "headers": {
            "x-request-id": REQUEST_ID,
            "x-should-retry": {"description": "Whether asking again may help.", "schema": STRING},
            "Retry-After": {"description": "Seconds, where they are known.", "schema": STRING},
        },
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


def _name(status: int, words: str) -> str:
    phrase = "Overloaded" if status == messages.OVERLOADED else HTTPStatus(status).phrase
    return words + phrase.title().replace(" ", "")


def _kinds(kind: type[ProxyError]) -> Iterator[type[ProxyError]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from _kinds(inner)
