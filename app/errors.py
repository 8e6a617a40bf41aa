"""Every error a client can get, with its HTTP status and its OpenAI `type` and `code`.

ProxyError
    BadRequest                400  the body is not what the contract says
        ContextTooLong        400  more tokens than the model takes
    NotLoggedIn               401  the CLI has no valid login
    InvalidKey                401  no API key, or one that this server does not know
        KeyExpired            401  the API key's time is over
    PlanRefused               402  the plan does not cover this use
    Forbidden                 403  Host, Origin or peer address refused, or the API refused the credentials
    NotFound                  404  no such route or model
    MethodNotAllowed          405
    RequestTimeout            408  the rest of the request did not come in time
    SessionBusy               409  an earlier request of the same session is still being answered
    BodyTooLarge              413
    UnsupportedMediaType      415
    LoginElsewhere            421  the API key is for another login than this host's
    PlanLimit                 429  the plan's window is used up
    KeyBudget                 429  the API key has used what it may for now
    PlanReserved              429  what is left of the plan is reserved for other API keys
    ExtraUsage                429  the answer would be billed beyond the plan, which is to be refused
    QueueFull                 429  more requests than slots and queue hold
        KeyBusy               429  one API key has too many turns running or waiting
        KeyRateLimited        429  one API key has made too many requests in a minute
        BodiesFull            429  the bodies of all requests are too large together
    KeysUnusable              500  the file of API keys is damaged or open to others
    NotOffered                501  what this server does not do
    SessionStorageFailed      503  the store of sessions cannot be read or written
        StorageUnavailable    503  the database is away
    UsageUnreadable           503  the ledger cannot be read
    Overloaded                503  the API, after the CLI's own retries
    ConnectionsTaken          503  more connections than this server can hold
    ShuttingDown              503  this server is stopping
    CliFailed                 502  missing, too old, crashed or unintelligible CLI
    AnswerCut                 502  the API's answer broke off midway
    SchemaUnsatisfied         502  no answer in the form of response_format
    ToolChoiceUnsatisfied     502  no call of a tool that had to be called
    TurnTimeout               504  no token, or no end, in time
    ClientGone                499  the client left, or closed its sending side

ConfigError is for the person who starts the server, DatabaseFailed for what keeps something; neither for clients.
Statuses and codes follow OpenAI's error object: https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

from pathlib import Path


class ConfigError(Exception):
    """A setting or the machine does not allow the server to start; the text names the setting and the remedy."""


class DatabaseFailed(Exception):
    """The database cannot be read or written; nothing in it has changed. `aside` is where a damaged file was put."""

    def __init__(self, message: str, aside: Path | None = None) -> None:
        super().__init__(message)
        self.aside = aside


class DatabaseAway(DatabaseFailed):
    """The database does not answer, or not in time: what was asked may be asked again."""


class ProxyError(Exception):
    """A failure with a status and a sentence meant for the client.

    `param` names the offending field, `retry_after` is in seconds, and `should_retry` tells the official SDKs
    whether another attempt could help (their `x-should-retry` header). `falls_back` says that the model is overloaded,
    or its window of the plan closed, so that another model may answer in its place.
    """

    status = 500
    type = "server_error"
    code: str | None = None
    should_retry = False
    # What a record says instead of the message, where that may quote what was said.
    unquoted: str | None = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
        falls_back: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        self.falls_back = falls_back
        if code is not None:
            self.code = code

    @property
    def words(self) -> str:
        """The message as it may be kept: never with what was said."""
        return self.unquoted or self.message

    def headers(self) -> dict[str, str]:
        """Return the headers that tell a client whether and when to try again."""
        headers = {"x-should-retry": "true" if self.should_retry else "false"}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return headers


# The caller's to mend, or to wait for: 4xx.


class BadRequest(ProxyError):
    """The request is malformed; `param` says where."""

    status = 400
    type = "invalid_request_error"
    unquoted: str | None = "The request is malformed; the client was told where."


class ContextTooLong(BadRequest):
    """The conversation has more tokens than the model takes."""

    code = "context_length_exceeded"
    unquoted = None


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


class KeyExpired(InvalidKey):
    """The API key's time is over."""

    code = "key_expired"


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
    # What a client asks for may be a word of a person's.
    unquoted = "There is no such route or model."


class MethodNotAllowed(ProxyError):
    """The route exists, for other methods."""

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"


class SessionBusy(ProxyError):
    """An earlier request of the same session is still being answered, or another one has changed it meanwhile."""

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


class LoginElsewhere(ProxyError):
    """The API key is for another login than this host's."""

    status = 421
    type = "invalid_request_error"
    code = "login_elsewhere"


class PlanLimit(ProxyError):
    """The plan's usage window is used up until its reset."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"


class KeyBudget(ProxyError):
    """The API key has used what it may until its budget begins anew."""

    status = 429
    type = "rate_limit_error"
    code = "key_budget"


class PlanReserved(ProxyError):
    """What is left of the plan's window is reserved for other API keys."""

    status = 429
    type = "rate_limit_error"
    code = "plan_reserved"


class ExtraUsage(ProxyError):
    """The plan is used up and the answer would be billed as extra usage, which this server refuses."""

    status = 429
    type = "rate_limit_error"
    code = "extra_usage"


class QueueFull(ProxyError):
    """Every slot and every place in the queue is taken."""

    status = 429
    type = "rate_limit_error"
    code = "concurrency_limit"
    should_retry = True


class KeyBusy(QueueFull):
    """The API key has as many turns running or waiting as it may."""

    code = "key_concurrency_limit"


class KeyRateLimited(QueueFull):
    """The API key has made as many requests within a minute as it may."""

    code = "key_rate_limit"


class BodiesFull(QueueFull):
    """The bodies of the requests of this moment are too large together."""

    code = "bodies_too_large"


class ClientGone(ProxyError):
    """The client left; the turn was ended for it."""

    status = 499
    type = "client_closed_request"
    code = "client_gone"


# On this side, or the API's: 5xx.


class KeysUnusable(ProxyError):
    """The server's file of API keys is damaged or open to others; the log has the reason."""

    code = "keys_unusable"


class NotOffered(ProxyError):
    """Anthropic's API does this, this server does not."""

    status = 501
    code = "not_offered"


class Overloaded(ProxyError):
    """The API could not answer now, and the CLI has already tried again."""

    status = 503
    type = "overloaded_error"
    code = "overloaded"


class ConnectionsTaken(ProxyError):
    """Every connection that this server can hold is taken."""

    status = 503
    code = "connections_taken"
    should_retry = True


class ShuttingDown(ProxyError):
    """The server is stopping; a restarted one will answer."""

    status = 503
    code = "shutting_down"
    should_retry = True


class CliFailed(ProxyError):
    """The CLI is missing, too old, ended early or said something that is not its protocol."""

    status = 502
    code = "cli_exited"


class AnswerCut(ProxyError):
    """The API's answer broke off after a part of it had been sent."""

    status = 502
    code = "answer_cut"
    should_retry = True


class SchemaUnsatisfied(ProxyError):
    """The model gave no answer in the form that was asked for."""

    status = 502
    code = "schema_not_satisfied"
    unquoted = "The model gave no answer in the form that was asked for."


class ToolChoiceUnsatisfied(ProxyError):
    """The model called no tool although it was told to."""

    status = 502
    code = "tool_choice_not_satisfied"


class TurnTimeout(ProxyError):
    """The turn gave no line, or did not end, within its deadline."""

    status = 504
    code = "timeout"


class SessionStorageFailed(ProxyError):
    """The store of sessions cannot be read or written; no transcript has changed."""

    status = 503
    code = "session_storage_failed"


class StorageUnavailable(SessionStorageFailed):
    """The database that holds sessions, responses and keys is away."""

    code = "storage_unavailable"
    should_retry = True


class UsageUnreadable(ProxyError):
    """The ledger cannot be read; nothing else is touched by it."""

    status = 503
    code = "usage_unreadable"
    should_retry = True
