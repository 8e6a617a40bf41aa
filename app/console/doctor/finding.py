"""What a check found."""

from __future__ import annotations

from typing import Literal, NamedTuple

Verdict = Literal["pass", "warn", "fail", "skip"]


class Finding(NamedTuple):
    """One line of the report; `remedy` is a command or a sentence that mends it, `lines` say more.

    `skip` says that it could not be looked at, because of an earlier failure, or since it has not happened yet.
    """

    verdict: Verdict
    text: str
    remedy: str | None = None
    lines: tuple[str, ...] = ()


def passed(text: str) -> Finding:
    """Return that all is well."""
    return Finding("pass", text)


def warned(text: str, remedy: str) -> Finding:
    """Return that it works, but not as one might think."""
    return Finding("warn", text, remedy)


def failed(text: str, remedy: str) -> Finding:
    """Return that a request would not be answered, or not by the plan."""
    return Finding("fail", text, remedy)


def skipped(text: str) -> Finding:
    """Return that it could not be looked at."""
    return Finding("skip", text)
