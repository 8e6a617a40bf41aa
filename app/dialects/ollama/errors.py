"""Errors in Ollama's envelope: https://docs.ollama.com/api/errors ."""

from __future__ import annotations

from typing import Any

from app.dialects.dialect import Envelope
from app.errors import ProxyError


def envelope(error: ProxyError, request_id: str | None = None) -> dict[str, Any]:
    """Return the body of an error: its sentence, which its clients show as it is."""
    del request_id  # it is in the headers
    return {"error": error.message}


ENVELOPE = Envelope(lambda error: error.status, envelope, name="Ollama")
