"""Servers with less of the system than they want: command lines that take something away and then serve."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
from server import CONFIG, GUNICORN, ROOT

SERVE = (*GUNICORN, *CONFIG, "wsgi:app")
# An ordinary user's number that nobody has; root is bound by no limit of processes.
STRANGER = "64999"
LIMITED = """
import os, resource, sys
number = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))
os.execv(sys.argv[2], sys.argv[2:])
"""


def few_descriptors(number: int) -> tuple[str, ...]:
    """Return the command line of a server that may have so many descriptors open and can have no more."""
    return (sys.executable, "-c", LIMITED, str(number), *SERVE)


def own_disk(folder: Path, kilobytes: int) -> tuple[str, ...] | None:
    """Return the command line of a server for which `folder` is a small disk of its own, None where that cannot be."""
    script = f'mount -t tmpfs -o size={kilobytes}k tmpfs "$0" && exec "$@"'
    command = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(folder))
    if not psutil.LINUX or not _works((*command, "true")):
        return None
    return (*command, *SERVE)


def make_read_only(pid: int, folder: Path) -> bool:
    """Let a process's own disk be written no more; return whether that could be done."""
    return _works(("nsenter", f"--target={pid}", "--user", "--mount", "mount", "-o", "remount,ro", str(folder)))


def ordinary_user() -> tuple[str, ...] | None:
    """Return what makes a command an ordinary user's, whom a limit of processes binds; None where that cannot be.

    It may read and write all the same: this checkout and its Python may be in a folder of root's.
    """
    if not psutil.LINUX:
        return None
    if os.geteuid() != 0:
        return ()
    able = ("--inh-caps=-all,+dac_override,+fowner", "--ambient-caps=-all,+dac_override,+fowner")
    user = ("setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", *able)
    return user if _works((*user, sys.executable, "-c", "import app")) else None


def limit_processes(user: tuple[str, ...], pid: int, number: int | None) -> None:
    """Let the `user` of a process have only so many when that process starts another, None for as many as ever."""
    script = """
import resource, sys
hard = resource.prlimit(int(sys.argv[1]), resource.RLIMIT_NPROC)[1]
resource.prlimit(int(sys.argv[1]), resource.RLIMIT_NPROC, (int(sys.argv[2]) if sys.argv[2:] else hard, hard))
"""
    asked = () if number is None else (str(number),)
    subprocess.run((*user, sys.executable, "-c", script, str(pid), *asked), check=True, timeout=30)


def _works(command: tuple[str, ...]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, cwd=ROOT, capture_output=True, timeout=30, check=False).returncode == 0
