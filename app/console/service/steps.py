"""What installing and ending a service takes, as data: shown by --dry-run, carried out otherwise."""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from app.console.machine import Machine, Ran

# How long an ended service may stay listed, in seconds: as long as running answers may take to end, and a little.
GONE_WITHIN_SECONDS = 50.0
TICK_SECONDS = 0.25


class Write(NamedTuple):
    """A file that only this user may read; `shown` is its text without secrets."""

    path: Path
    data: bytes
    shown: str


class Remove(NamedTuple):
    """A file that goes, if it is there."""

    path: Path


class Call(NamedTuple):
    """A command; `may_fail` where there may be nothing for it to do."""

    argv: tuple[str, ...]
    may_fail: bool = False


class Gone(NamedTuple):
    """Wait until this command fails, because what it asks for is gone."""

    argv: tuple[str, ...]


Step = Write | Remove | Call | Gone


def describe(step: Step) -> str:
    """Return what a step would do, for a reader."""
    match step:
        case Write():
            text = "".join(f"    {line}\n" for line in step.shown.splitlines())
            return f"write {step.path} (mode 0600):\n{text}"
        case Remove():
            return f"remove {step.path}"
        case Call():
            return f"run   {shlex.join(step.argv)}{'   (it may fail)' if step.may_fail else ''}"
        case Gone():
            return f"wait  until this fails: {shlex.join(step.argv)}"


def perform(steps: Sequence[Step], machine: Machine, sentence: Callable[[Call, Ran], str]) -> None:
    """Carry out the steps. Raises ClickException with `sentence` for the first command that fails."""
    for step in steps:
        match step:
            case Write():
                _write(step)
            case Remove():
                _remove(step)
            case Call():
                ran = machine.run(step.argv)
                if ran.code != 0 and not step.may_fail:
                    raise click.ClickException(sentence(step, ran))
            case Gone():
                _wait(step, machine)


def _write(step: Write) -> None:
    try:
        step.path.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not at all, and never readable by others, not even for a moment.
        number, name = tempfile.mkstemp(dir=step.path.parent, prefix=".claude-max-")
        try:
            with os.fdopen(number, "wb") as file:
                file.write(step.data)
            Path(name).replace(step.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise click.ClickException(f"{step.path} cannot be written: {error.strerror}") from None


def _remove(step: Remove) -> None:
    with contextlib.suppress(FileNotFoundError):
        try:
            step.path.unlink()
        except PermissionError as error:
            raise click.ClickException(f"{step.path} cannot be removed: {error.strerror}") from None


def _wait(step: Gone, machine: Machine) -> None:
    for _ in range(int(GONE_WITHIN_SECONDS / TICK_SECONDS)):
        if machine.run(step.argv).code != 0:
            return
        machine.pause(TICK_SECONDS)
    raise click.ClickException(f"The service does not end; look at `{shlex.join(step.argv)}`.")
