"""Errors that are the caller's to mend, or to wait for: 4xx."""

from __future__ import annotations

from app.errors.base import ProxyError


class BadRequest(ProxyError):
    """The request is malformed; `param` says where."""

    status = 400
    type = "invalid_request_error"


class ContextTooLong(BadRequest):
    """The conversation has more tokens than the model takes."""

    code = "context_length_exceeded"


class NotLoggedIn(ProxyError):
    """The CLI has no login, or the API no longer accepts it."""

    status = 401
    type = "authentication_error"
    code = "claude_not_logged_in"


class InvalidKey(ProxyError):
    """The request has no API key, or one that this server does not know."""

    status = 401
    type = "invalid_request_error"
    code = "invalid_api_key"


class PlanRefused(ProxyError):
    """The plan does not cover this use; the API's own words are passed on."""

    status = 402
    type = "billing_error"
    code = "plan_refused"


class Forbidden(ProxyError):
    """The caller, or the login, may not do this."""

    status = 403
    type = "permission_error"
    code = "forbidden"


class NotFound(ProxyError):
    """There is no such route or model."""

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class MethodNotAllowed(ProxyError):
    """The route exists, for other methods."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class SessionBusy(ProxyError):
    """An earlier request of the same session is still being answered."""

    status = 409
    type = "conflict_error"
    code = "session_busy"
    should_retry = True


class RequestTimeout(ProxyError):
    """The rest of the request did not come in time."""

    status = 408
    type = "invalid_request_error"
    code = "request_timeout"


class BodyTooLarge(ProxyError):
    """The body is larger than this server or the API takes."""

    status = 413
    type = "invalid_request_error"
    code = "request_too_large"


class UnsupportedMediaType(ProxyError):
    """The body is in a format other than JSON."""

    status = 415
    type = "invalid_request_error"
    code = "unsupported_media_type"


class PlanLimit(ProxyError):
    """The plan's usage window is used up until its reset."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class QueueFull(ProxyError):
    """Every slot and every place in the queue is taken."""

    status = 429
    type = "rate_limit_error"
    code = "concurrency_limit"
    should_retry = True


class KeyBusy(QueueFull):
    """The API key has as many requests running as it may."""

    code = "key_concurrency_limit"


class KeyRateLimited(QueueFull):
    """The API key has made as many requests within a minute as it may."""

    code = "key_rate_limit"


class ClientGone(ProxyError):
    """The client left; the turn was ended for it."""

    status = 499
    type = "client_closed_request"
    code = "client_gone"
