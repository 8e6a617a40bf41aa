"""The errors that routes answer, in OpenAI's words and in Anthropic's."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from http import HTTPStatus
from typing import Any

from app.dialects.dialect import Envelope
from app.dialects.messages.errors import OVERLOADED
from app.dialects.openai.answers import ENVELOPE as OPENAI
from app.dialects.schema_words import STRING
from app.errors import ClientGone, ProxyError

REQUEST_ID = {"description": "What the log calls this request.", "schema": STRING}


def failure(status: int, words: Envelope = OPENAI) -> dict[str, str]:
    """Return a reference to one of `failures`."""
    return {"$ref": f"#/components/responses/{_name(status, words)}"}


def failures(formats: Collection[Envelope]) -> dict[str, dict[str, Any]]:
    """Return the response of each status an error can have, by name."""
    return {
        _name(status, words): _response(sentences, f"{words.name}Error")
        for words in formats
        for status, sentences in sorted(_told(words).items())
    }


def failing(words: Envelope = OPENAI) -> list[int]:
    """Return the statuses that errors can have."""
    return sorted(_told(words))


def _told(words: Envelope) -> dict[int, list[str]]:
    told: dict[int, list[str]] = {}
    for kind in _kinds(ProxyError):
        if kind is not ClientGone:
            code = f"`{kind.code}`: " if kind.code else ""
            first = (kind.__doc__ or "").partition("\n")[0] if kind is not ProxyError else "The log has the reason."
            told.setdefault(words.status(kind("")), []).append(code + first)
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


def _name(status: int, words: Envelope) -> str:
    phrase = "Overloaded" if status == OVERLOADED else HTTPStatus(status).phrase
    return words.name + phrase.title().replace(" ", "")


def _kinds(kind: type[ProxyError]) -> Iterator[type[ProxyError]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from _kinds(inner)
