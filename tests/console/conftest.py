"""The console on a machine that records what it is asked to run, and servers that answer what a test says."""

from __future__ import annotations

import http.server
import json
import os
import threading
from pathlib import Path

import hermetic
import pytest
from click.testing import CliRunner
from server import free_port

from app.console import main
from app.console.doctor import CHECKS
from app.console.machine import Machine, Ran
from app.keys.file import KeyFile

FAKE_CLAUDE = Path(__file__).parent.parent / "fake_claude.py"


class Became(Exception):
    """Raised in place of becoming another program."""


class Recorder(Machine):
    """A machine on which nothing happens; `answers` maps the words of a command to how it ends, the last one staying.

    `calls` are the commands it was asked to run, `became` the one it was to become.
    """

    def __init__(self, home, platform):
        self.platform, self.uid, self.home = platform, 501, home
        self.calls, self.became, self.answers, self.said = [], None, {}, []

    @property
    def user(self):
        return "ann"

    def run(self, argv):
        line = " ".join(argv)
        self.calls.append(line)
        for words, told in self.answers.items():
            if words in line:
                return Ran(*(told.pop(0) if len(told) > 1 else told[0]))
        return Ran(0, "")

    def lines(self, argv):
        self.calls.append(" ".join(argv))
        return iter(self.said)

    def become(self, argv):
        self.became = argv
        raise Became

    def pause(self, seconds):
        pass


@pytest.fixture
def home(tmp_path):
    return tmp_path


@pytest.fixture
def program(home, monkeypatch):
    """The command as it was called: installed in a folder whose name needs quoting."""
    path = home / "my 100% $HOME" / "bin" / "claude-max-api"
    path.parent.mkdir(parents=True)
    path.touch(mode=0o755)
    monkeypatch.setattr("sys.argv", [str(path)])
    return path


@pytest.fixture
def linux(home):
    machine = Recorder(home, "linux")
    machine.answers = {
        "systemctl --user show": [(0, "LoadState=not-found\nActiveState=inactive\nMainPID=0\nResult=success")],
        "loginctl": [(0, "Linger=yes")],
    }
    return machine


@pytest.fixture
def mac(home):
    machine = Recorder(home, "darwin")
    machine.answers = {"launchctl print": [(113, 'Could not find service "com.openclaw.claude-max-proxy"')]}
    return machine


@pytest.fixture
def environment(home):
    """Give a function that returns a hermetic environment with the fake CLI and a free port."""

    def build(**env):
        passed = f"{hermetic.PASSED},FAKE_VERSION,FAKE_DEAD"
        base = {"CLAUDE_BIN": str(FAKE_CLAUDE), "PORT": str(free_port()), "CLAUDE_PROXY_PASS_ENV": passed}
        given = hermetic.environment(home, **{**base, **env})
        return {name: value for name, value in given.items() if value}

    return build


@pytest.fixture
def console(environment, monkeypatch):
    """Give a function that runs a command, by default on this machine, with what it is given and nothing else."""

    def run(*args, machine=None, **env):
        for name in set(os.environ) - {"PATH", "PYTEST_CURRENT_TEST"}:
            monkeypatch.delenv(name)
        return CliRunner().invoke(main, args, env=environment(**env), obj=machine)

    return run


class Answering:
    """A server that answers GET requests with JSON from `answers`, or 404; `keys` are the bearer tokens it was sent."""

    def __init__(self, answers):
        self.keys = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.keys.append(self.headers.get("Authorization"))
                status, body = answers.get(self.path, (404, {}))
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


HEALTH = {"/health": (200, {"status": "ok", "provider": "claude-code-cli"})}


@pytest.fixture
def answering():
    """Give a function that starts a server with these answers, /health being ours unless `ours` is false."""
    started = []

    def start(answers=None, *, ours=True):
        started.append(Answering({**(HEALTH if ours else {}), **(answers or {})}))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
def doctor(console, linux):
    """Give a function that runs `doctor --json` and returns its checks by name, and asserts that exit status fits."""

    def run(*args, **env):
        result = console("doctor", "--json", *args, machine=linux, **env)
        report = json.loads(result.stdout)
        verdicts = [check["verdict"] for check in report["checks"]]
        assert report["ok"] == ("fail" not in verdicts) == (result.exit_code == 0)
        assert [check["check"] for check in report["checks"]] == list(CHECKS)
        assert all(bool(check["remedy"]) == (check["verdict"] in {"warn", "fail"}) for check in report["checks"])
        return {check["check"]: (check["verdict"], check["text"], check["remedy"]) for check in report["checks"]}

    return run


@pytest.fixture
def script(home):
    """Give a function that writes an executable `claude` with this text."""

    def write(text):
        path = home / "claude"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return write


def failures(found):
    return {name for name, (verdict, _, _) in found.items() if verdict == "fail"}


@pytest.fixture
def service(console, program):
    """Give a function that runs `service ...`; it must not end in a traceback."""

    def run(machine, *args, **env):
        result = console("service", *args, machine=machine, **env)
        assert isinstance(result.exception, SystemExit | Became | None), result.exception
        return result

    return run


@pytest.fixture
def ask(console, linux):
    """Give a function that runs a command against a port."""
    return lambda *args, **env: console(*args, machine=linux, **env)


@pytest.fixture
def command(console, fake_server):
    """Give a function that runs a command against a server; `typed` is its standard input."""

    def run(*args, typed=""):
        with pytest.MonkeyPatch.context() as patch:
            invoke = CliRunner.invoke
            patch.setattr(CliRunner, "invoke", lambda self, *more, **env: invoke(self, *more, input=typed, **env))
            return console(*args, PORT=str(fake_server.port))

    return run


@pytest.fixture
def key(tmp_path):
    """Give a function that runs `claude-max-api key` in a hermetic environment."""

    def run(*args, **env):
        result = CliRunner().invoke(main, ["key", *args], env=hermetic.environment(tmp_path, **env))
        assert "Traceback" not in result.output
        return result

    return run


@pytest.fixture
def file(tmp_path):
    return KeyFile(tmp_path / "state")
