"""Every error a client can get, with its HTTP status and its OpenAI `type` and `code`.

ProxyError
    BadRequest                400  the body is not what the contract says
        ContextTooLong        400  more tokens than the model takes
    NotLoggedIn               401  the CLI has no valid login
    InvalidKey                401  no API key, or one that this server does not know
    PlanRefused               402  the plan does not cover this use
    Forbidden                 403  Host, Origin or peer address refused, or the API refused the credentials
    NotFound                  404  no such route or model
    MethodNotAllowed          405
    RequestTimeout            408  the rest of the request did not come in time
    SessionBusy               409  an earlier request of the same session is still being answered
    BodyTooLarge              413
    UnsupportedMediaType      415
    PlanLimit                 429  the plan's window is used up
    QueueFull                 429  more requests than slots and queue hold
        KeyBusy               429  one API key has too many requests running
        KeyRateLimited        429  one API key has made too many requests in a minute
    KeysUnusable              500  the file of API keys is damaged or open to others
    NotOffered                501  what this server does not do
    SessionStorageFailed      503  the store of sessions cannot be read or written
    Overloaded                503  the API, after the CLI's own retries
    ShuttingDown              503  this server is stopping
    CliFailed                 502  missing, too old, crashed or unintelligible CLI
    AnswerCut                 502  the API's answer broke off midway
    SchemaUnsatisfied         502  no answer in the form of response_format
    ToolChoiceUnsatisfied     502  no call of a tool that had to be called
    TurnTimeout               504  no token, or no end, in time
    ClientGone                499  nobody is left to read the answer; never sent

ConfigError is for whoever starts the server, not for clients.
Statuses and codes follow OpenAI's error object: https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

from app.errors.base import ConfigError, ProxyError
from app.errors.failures import (
    AnswerCut,
    CliFailed,
    KeysUnusable,
    NotOffered,
    Overloaded,
    SchemaUnsatisfied,
    SessionStorageFailed,
    ShuttingDown,
    ToolChoiceUnsatisfied,
    TurnTimeout,
)
from app.errors.refusals import (
    BadRequest,
    BodyTooLarge,
    ClientGone,
    ContextTooLong,
    Forbidden,
    InvalidKey,
    KeyBusy,
    KeyRateLimited,
    MethodNotAllowed,
    NotFound,
    NotLoggedIn,
    PlanLimit,
    PlanRefused,
    QueueFull,
    RequestTimeout,
    SessionBusy,
    UnsupportedMediaType,
)

__all__ = [
    "AnswerCut",
    "BadRequest",
    "BodyTooLarge",
    "CliFailed",
    "ClientGone",
    "ConfigError",
    "ContextTooLong",
    "Forbidden",
    "InvalidKey",
    "KeyBusy",
    "KeyRateLimited",
    "KeysUnusable",
    "MethodNotAllowed",
    "NotFound",
    "NotLoggedIn",
    "NotOffered",
    "Overloaded",
    "PlanLimit",
    "PlanRefused",
    "ProxyError",
    "QueueFull",
    "RequestTimeout",
    "SchemaUnsatisfied",
    "SessionBusy",
    "SessionStorageFailed",
    "ShuttingDown",
    "ToolChoiceUnsatisfied",
    "TurnTimeout",
    "UnsupportedMediaType",
]
