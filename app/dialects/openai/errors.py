"""Errors in OpenAI's envelope: https://platform.openai.com/docs/guides/error-codes ."""

from __future__ import annotations

from typing import Any

from app.dialects.dialect import Envelope
from app.errors import ProxyError


def envelope(error: ProxyError, request_id: str | None = None) -> dict[str, Any]:
    """Return the body of an error, always with all four keys."""
    del request_id  # it is in the headers
    return {"error": {"message": error.message, "type": error.type, "param": error.param, "code": error.code}}


ENVELOPE = Envelope(lambda error: error.status, envelope, time_header="openai-processing-ms")
