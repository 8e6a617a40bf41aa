"""What the CLI's failures mean to a client: its lines in, the project's errors out."""

from __future__ import annotations

import math
import re
import time
from http import HTTPStatus

from app import moments
from app.claude.cli.binary import LOGIN
from app.claude.cli.incoming import RateLimitInfo, Result, System
from app.errors import (
    BadRequest,
    BodyTooLarge,
    CliFailed,
    ContextTooLong,
    Forbidden,
    NotFound,
    NotLoggedIn,
    Overloaded,
    PlanLimit,
    PlanRefused,
    ProxyError,
    SchemaUnsatisfied,
)

# The API does not say when it will be free again; clients that wait this long are polite.
OVERLOAD_PAUSE_SECONDS = 15
RATE_PAUSE_SECONDS = 30
# The API's own status for an overload: https://docs.claude.com/en/api/errors
OVERLOADED = 529
MIN_CONTEXT_TOKENS = 200_000
TOKENS = re.compile(r"([0-9]+) tokens > ([0-9]+) maximum")


# What the operator has to do; a client is not told where the executable is.
NO_LOGIN = f"The claude CLI is not logged in on the server: run `{LOGIN}` there, then try again."


def of_retry(line: System) -> ProxyError | None:
    """Return the error an `api_retry` line already decides, or None where another try may help.

    A refused login stays refused; the CLI would go on asking for minutes.
    """
    if line.error == "authentication_failed" or line.error_status == HTTPStatus.UNAUTHORIZED:
        return NotLoggedIn(NO_LOGIN)
    return None


def of_result(result: Result, limit: RateLimitInfo | None, tag: str | None) -> ProxyError:
    """Return the error of a turn that ended with `is_error`.

    `limit` is the last rate limit the CLI reported, `tag` the `error` field of its own assistant line.
    """
    text = "; ".join(result.errors or ()) or result.result or result.subtype or "no reason given"
    status = result.api_error_status
    low = text.lower()
    if limit is not None and limit.resets_at is not None and _is_used_up(limit, status):
        return _plan_limit(text, limit.resets_at)
    if "usage credits required" in low or ("extra usage" in low and status in {400, 402, 403}):
        return PlanRefused(text)
    if _login_refused(status, tag, low):
        return NotLoggedIn(NO_LOGIN)
    if "prompt is too long" in low:
        return _context_too_long(text, result)
    if status is not None:
        return _of_status(status, text)
    if result.subtype == "error_max_structured_output_retries":
        return SchemaUnsatisfied(f"The model gave no answer in the form of response_format: {text}")
    if tag in {"overloaded", "server_error"} or "connection error" in low:
        sentence = f"The Claude API could not be reached: {text}"
        return Overloaded(sentence, retry_after=OVERLOAD_PAUSE_SECONDS, falls_back=tag == "overloaded")
    error = CliFailed("The claude CLI could not finish the turn; the server's log has the reason.", code="cli_error")
    error.add_note(f"subtype={result.subtype} tag={tag} error={text!r}")  # for the log
    return error


def _is_used_up(limit: RateLimitInfo, status: int | None) -> bool:
    """Tell whether the plan's window is what refused a turn.

    Any 429 comes with `rejected`; only a plan's window has a time of reset. Where extra usage pays for what goes beyond
    the window it is `rejected`, too, and the turn may have failed of something else.
    """
    return limit.refuses or (limit.status == "rejected" and status == HTTPStatus.TOO_MANY_REQUESTS)


def _login_refused(status: int | None, tag: str | None, text: str) -> bool:
    """Tell whether a new login is the remedy; the CLI tags every 403 `authentication_failed` too."""
    if "run /login" in text or "please log in again" in text:
        return True
    return status == HTTPStatus.UNAUTHORIZED or (status is None and tag == "authentication_failed")


def _of_status(status: int, text: str) -> ProxyError:
    match status:
        case HTTPStatus.PAYMENT_REQUIRED:
            return PlanRefused(text)
        case HTTPStatus.FORBIDDEN:
            return Forbidden(text, code="claude_refused")
        case HTTPStatus.NOT_FOUND:
            return NotFound(text, code="model_not_found", param="model")
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return BodyTooLarge(text)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return PlanLimit(f"The Claude API is limiting requests: {text}", retry_after=RATE_PAUSE_SECONDS)
        case _ if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Overloaded(text, retry_after=OVERLOAD_PAUSE_SECONDS, falls_back=status == OVERLOADED)
        case _:
            return BadRequest(text)


def _plan_limit(text: str, resets_at: float) -> PlanLimit:
    # "usage limit" makes OpenClaw try once instead of ten times; the reset is repeated in a form programs can read.
    wait = max(1, math.ceil(resets_at - time.time()))
    reset = moments.written(resets_at)
    if reset is None:
        return PlanLimit(f"Claude usage limit reached: {text}", retry_after=RATE_PAUSE_SECONDS, falls_back=True)
    sentence = f"Claude usage limit reached: {text} (resets at {reset})"
    return PlanLimit(sentence, retry_after=wait, falls_back=True)


def _context_too_long(text: str, result: Result) -> ContextTooLong:
    counts = TOKENS.search(text)
    windows = [usage.context_window for usage in (result.model_usage or {}).values() if usage.context_window]
    maximum = int(counts[2]) if counts else max(windows, default=MIN_CONTEXT_TOKENS)
    # Clients look for one of two phrases: Anthropic's and OpenAI's.
    return ContextTooLong(
        f"{text.rstrip('.')}; this model's maximum context length is {maximum} tokens.".replace(
            "Prompt is", "prompt is"
        ),
        param="messages",
    )
