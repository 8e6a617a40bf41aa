"""The errors a stand-in can be told to answer with, in the API's envelope."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import Any

from app.standin import plan

EXPIRED = "OAuth token has expired. Please obtain a new token or refresh your existing token."


@dataclasses.dataclass(frozen=True)
class Failure:
    """An answer with an HTTP error `status`, the API's error `type` and `message`, after `delay` seconds."""

    status: int
    type: str
    message: str
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    delay: float = 0

    def envelope(self, request_id: str) -> dict[str, Any]:
        """Return the JSON body of the error."""
        return {"type": "error", "error": {"type": self.type, "message": self.message}, "request_id": request_id}

    @classmethod
    def unauthorized(cls, message: str = EXPIRED) -> Failure:
        """Return the answer to a login that has expired or was revoked: 401."""
        return cls(401, "authentication_error", message, {"x-should-retry": "false"})

    @classmethod
    def forbidden(cls, message: str = "Request not allowed") -> Failure:
        """Return the answer to a login that is valid and may not do this: 403."""
        return cls(403, "permission_error", message, {"x-should-retry": "false"})

    @classmethod
    def not_found(cls, message: str = "Not found") -> Failure:
        """Return the answer for a path or a model that does not exist: 404."""
        return cls(404, "not_found_error", message)

    @classmethod
    def overloaded(cls, message: str = "Overloaded") -> Failure:
        """Return the answer of an API without capacity: 529."""
        return cls(529, "overloaded_error", message, {"x-should-retry": "true"})

    @classmethod
    def server_error(cls, message: str = "Internal server error") -> Failure:
        """Return the answer of an API that broke: 500."""
        return cls(500, "api_error", message, {"x-should-retry": "true"})

    @classmethod
    def plan_limit(cls, resets_at: int, window: str = "five_hour") -> Failure:
        """Return the answer when the plan's `window` is used up until `resets_at` (unix seconds): 429, with headers."""
        headers = plan.plan_headers("rejected", utilization=1.0, resets_at=resets_at, window=window)
        headers |= {"retry-after": str(max(0, resets_at - int(time.time()))), "x-should-retry": "false"}
        return cls(429, "rate_limit_error", "This request would exceed your account's rate limit.", headers)

    @classmethod
    def prompt_too_long(cls, tokens: int, maximum: int) -> Failure:
        """Return the answer to a prompt of `tokens` tokens where the model takes `maximum`: 400."""
        return cls(400, "invalid_request_error", f"prompt is too long: {tokens} tokens > {maximum} maximum")
