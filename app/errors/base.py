"""What all errors have in common."""

from __future__ import annotations

from typing import Any


class ConfigError(Exception):
    """A setting or the machine does not allow the server to start; the text names the setting and the remedy."""


class ProxyError(Exception):
    """A failure with a status and a sentence meant for the client.

    `param` names the offending field, `retry_after` is in seconds, and `should_retry` tells the official SDKs
    whether another attempt could help (their `x-should-retry` header).
    """

    status = 500
    type = "server_error"
    code: str | None = None
    should_retry = False

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        if code is not None:
            self.code = code

    def body(self) -> dict[str, Any]:
        """Return the OpenAI error object with all four keys."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """Return the headers that tell a client whether and when to try again."""
        headers = {"x-should-retry": "true" if self.should_retry else "false"}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return headers
