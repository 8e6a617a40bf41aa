"""Errors in Anthropic's envelope: https://docs.claude.com/en/api/errors ."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from app.dialects.dialect import Envelope
from app.errors import Overloaded, ProxyError

# Anthropic's own status for an API that cannot answer now; HTTP has no name for it.
OVERLOADED = 529
TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    OVERLOADED: "overloaded_error",
}


def status(error: ProxyError) -> int:
    """Return the HTTP status of an error: its own, or Anthropic's for an overload, by which clients know it."""
    return OVERLOADED if isinstance(error, Overloaded) else error.status


def envelope(error: ProxyError, request_id: str | None) -> dict[str, Any]:
    """Return the body of an error; `details.error_code` is the code that OpenAI's clients get."""
    told: dict[str, Any] = {"type": _type(status(error)), "message": error.message}
    if error.code is not None:
        told["details"] = {"error_code": error.code}
    return {"type": "error", "error": told, "request_id": request_id}


ENVELOPE = Envelope(status, envelope, name="Anthropic", id_header="request-id")


def _type(code: int) -> str:
    default = "invalid_request_error" if code < HTTPStatus.INTERNAL_SERVER_ERROR else "api_error"
    return TYPES.get(code, default)
