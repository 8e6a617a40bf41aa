"""A real PostgreSQL on loopback, made for a test run and thrown away."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import psycopg
from server import free_port

# Where Debian has it, and others.
PLACES = (*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), *map(Path, ("/usr/local/bin", "/usr/bin")))
FAST = ("fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=60", "unix_socket_directories=")


def folder_of_programs() -> Path | None:
    """Return where PostgreSQL's programs are, None where it is not installed."""
    found = shutil.which("initdb")
    places = (Path(found).resolve().parent, *PLACES) if found else PLACES
    return next((place for place in places if (place / "initdb").exists()), None)


class Engine:
    """A server with a cluster of its own in `folder`."""

    def __init__(self, folder: Path) -> None:
        programs = folder_of_programs()
        assert programs is not None
        self._programs = programs
        # It does not run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        self._data = folder / "data"
        self._log = folder / "postgres.log"
        self.port = free_port()
        self._numbers = itertools.count()
        self._process: subprocess.Popen[bytes] | None = None
        if self._user:
            folder.chmod(0o755)
            self._data.mkdir()
            os.chown(self._data, pwd.getpwnam(self._user).pw_uid, -1)
        argv = [
            str(programs / "initdb"),
            "-D",
            str(self._data),
            "-U",
            "tests",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        subprocess.run(
            [*argv, "--locale=C"], user=self._user, cwd="/", check=True, stdout=subprocess.DEVNULL, env={"PATH": "/bin"}
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = [text for setting in (*FAST, f"port={self.port}") for text in ("-c", setting)]
        argv = [str(self._programs / "postgres"), "-D", str(self._data), "-h", "127.0.0.1", *settings]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                argv, user=self._user, cwd="/", stdout=log, stderr=log, env={"LC_ALL": "C"}
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop it as a restart does: connections are ended."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """End it, and all of its processes, without a word."""
        for process in self.processes():
            process.send_signal(signal.SIGKILL)
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Have it stand still: connections stay, and nothing answers."""
        for process in self.processes():
            process.suspend()

    def thaw(self) -> None:
        """Let it go on."""
        for process in self.processes():
            process.resume()

    def processes(self) -> list[psutil.Process]:
        """Return its processes, the first of all first."""
        assert self._process is not None
        first = psutil.Process(self._process.pid)
        return [first, *first.children(recursive=True)]

    def create(self) -> str:
        """Make an empty database; return its URL."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def url(self, name: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://tests@127.0.0.1:{self.port}/{name}"

    def _end(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(30)
