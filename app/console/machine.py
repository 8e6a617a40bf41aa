"""What the console asks of the operating system: one small class, so that a test can put a record in its place."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import click

# How long a command may take, in seconds: a stop waits for the answers under way, up to the service's 40 s.
TIMEOUT_SECONDS = 90.0


class Ran(NamedTuple):
    """A command that has ended: its exit status and all that it said."""

    code: int
    output: str


class Machine:
    """This machine, this user; `platform` is Python's name for the system (`darwin`, `linux`)."""

    def __init__(self) -> None:
        self.platform: str = sys.platform
        self.uid = os.getuid()
        self.home = Path.home()

    @property
    def user(self) -> str:
        """The name of the user, or the number where there is no name."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment the command was called with."""
        return os.environ

    def run(self, argv: Sequence[str]) -> Ran:
        """Run a command to its end, in English; one that is missing ends with 127, one that hangs with 124."""
        try:
            done = subprocess.run(
                argv,
                env={**self.environ, "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except OSError as error:
            return Ran(127, f"{argv[0]}: {error.strerror}")
        except subprocess.TimeoutExpired:
            return Ran(124, f"{argv[0]} gave no answer within {TIMEOUT_SECONDS:.0f} s")
        return Ran(done.returncode, done.stdout.decode(errors="replace").strip())

    def lines(self, argv: Sequence[str]) -> Iterator[str]:
        """Yield what a command says, line by line, until it ends or the user interrupts. Raises OSError."""
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as ran:
            try:
                for line in ran.stdout or ():
                    yield line.decode(errors="replace").rstrip("\n")
            finally:
                ran.terminate()

    def become(self, argv: list[str]) -> NoReturn:
        """Replace this process by a command. Raises OSError when there is no such command."""
        sys.stdout.flush()
        os.execvp(argv[0], argv)

    def pause(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


# Gives a command the machine it was called with (`obj`), and otherwise this one.
pass_machine = click.make_pass_decorator(Machine, ensure=True)
