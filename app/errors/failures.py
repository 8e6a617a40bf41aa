"""Errors on this side, and the API's: 5xx."""

from __future__ import annotations

from app.errors.base import ProxyError


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
