"""claude-max-api serve: what can be checked is checked, and said in one clear sentence."""

from __future__ import annotations

import os
import re
import runpy
import socket
import sys
from pathlib import Path

import gunicorn.util
import hermetic
import pytest
from click.testing import CliRunner
from server import free_port

import app
from app import address
from app.console import main
from app.keys.file import KeyFile
from app.version import __version__

FAKE_CLAUDE = Path(__file__).parent.parent / "fake_claude.py"


class Became(Exception):
    """Raised in place of becoming gunicorn, which never returns."""


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Give a function that runs `serve` in a hermetic environment; `serve.became` is what it would have become."""

    def become(*args):
        run.became = args
        raise Became

    def run(*args, **env):
        passed = f"{hermetic.PASSED},FAKE_VERSION"
        base = {"CLAUDE_BIN": str(FAKE_CLAUDE), "PORT": str(free_port()), "CLAUDE_PROXY_PASS_ENV": passed}
        given = hermetic.environment(tmp_path, **{**base, **env})
        return CliRunner().invoke(main, ["serve", *args], env=given)

    run.became = None
    monkeypatch.setattr(os, "execve", become)
    return run


def refused(serve, result):
    """Return the one sentence of a refusal."""
    assert result.exit_code not in (0, None)
    assert not isinstance(result.exception, Became)
    assert serve.became is None
    assert "Traceback" not in result.output
    (line,) = result.output.strip().splitlines()
    return line.removeprefix("Error: ")


def test_start(serve, tmp_path):
    """It says what it found and how to use it, and becomes gunicorn with the same settings."""
    port = free_port()
    result = serve(str(port))
    assert isinstance(result.exception, Became)
    assert "claude 2.1.330 at " in result.output
    assert ", logged in" in result.output
    assert f"http://127.0.0.1:{port}/v1" in result.output
    executable, argv, environ = serve.became
    assert argv[0] == executable
    assert argv[1:4] == ["-P", "-m", "gunicorn"]
    assert argv[-1] == "wsgi:app"
    assert Path(argv[argv.index("-c") + 1]).is_file()
    assert (Path(argv[argv.index("--chdir") + 1]) / "wsgi.py").is_file()
    assert environ["PORT"] == str(port)
    assert environ["CLAUDE_PROXY_STATE_DIR"] == str(tmp_path / "state")
    assert environ["CLAUDE_BIN"] == str(FAKE_CLAUDE)


def test_relative_paths(serve, tmp_path, monkeypatch):
    """Paths are the caller's, although gunicorn runs from another folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claude").symlink_to(FAKE_CLAUDE)
    serve(CLAUDE_BIN="./claude", CLAUDE_PROXY_STATE_DIR="here")
    assert serve.became[2]["CLAUDE_BIN"] == str(tmp_path / "claude")
    assert serve.became[2]["CLAUDE_PROXY_STATE_DIR"] == str(tmp_path / "here")


def test_state_folder_is_private(serve, tmp_path):
    """Nobody else can look into the state folder, also when it was there before."""
    (tmp_path / "state").mkdir(mode=0o755)
    serve()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_not_logged_in(serve, tmp_path):
    """Without a login it serves all the same, and says what to do."""
    claude = tmp_path / "claude"
    claude.write_text("""#!/bin/sh\n[ "$1" = auth ] && echo '{"loggedIn": false}' && exit 1\necho 2.1.330\n""")
    claude.chmod(0o755)
    result = serve(CLAUDE_BIN=str(claude))
    assert isinstance(result.exception, Became)
    assert "NOT logged in" in result.output
    assert "First log in, in another terminal: `claude-max-api login`." in result.output
    assert "curl" not in result.output
    assert f"{claude} auth" not in result.output


@pytest.mark.parametrize("args", [["8123"], ["-p", "8123"], ["--port", "8123"], ["--port=8123", "8123"]])
def test_port(serve, args):
    """The port is an argument or an option, and stands above PORT."""
    serve(*args, PORT="9")
    assert serve.became[2]["PORT"] == "8123"


def test_workers(serve):
    """Several workers are gunicorn's own, and what they cost is said; one is the normal case, and not worth a word."""
    result = serve("--workers", "3")
    argv = serve.became[1]
    assert argv[argv.index("--workers") + 1] == "3"
    assert "3 workers answer there. Each has waiting processes" in result.output
    result = serve("--workers", "1")
    assert "--workers" not in serve.became[1]
    assert "workers" not in result.output


@pytest.mark.parametrize("number", ["0", "-1", "65", "two", "1.5", ""])
def test_workers_that_are_none(serve, number):
    """A number of workers that cannot be is refused in words."""
    result = serve(f"--workers={number}")
    assert re.search("Invalid value for '--workers': .* is not (in the range 1<=x<=64|a valid integer)", result.output)
    assert (result.exit_code, serve.became) == (2, None)


def test_two_ports(serve):
    """Of two different ports neither is taken."""
    assert "two ports are given, 8124 and 8123" in serve("-p", "8123", "8124").output
    assert serve.became is None


def test_host(serve):
    """The address is an option, and stands above HOST."""
    serve("--host", "127.0.0.1", HOST="::1")
    assert serve.became[2]["HOST"] == "127.0.0.1"


def test_misspelt_setting(serve):
    """A variable that looks like a setting and is none is named, with the one that was meant."""
    result = serve(CLAUDE_PROXY_SPARE="2")
    assert isinstance(result.exception, Became)
    assert "no such setting: CLAUDE_PROXY_SPARE (did you mean CLAUDE_PROXY_SPARES?)" in result.output


@pytest.mark.parametrize("answer", ["", "gibberish", '{"authMethod":"\\377"}'])
def test_login_unknown(serve, tmp_path, answer):
    """A CLI that does not tell about its login is no reason not to serve."""
    claude = tmp_path / "claude"
    claude.write_text(f"""#!/bin/sh\n[ "$1" = auth ] && printf '{answer}' && exit 1\necho 2.1.330\n""")
    claude.chmod(0o755)
    result = serve(CLAUDE_BIN=str(claude))
    assert isinstance(result.exception, Became)
    assert "login unknown" in result.output


def test_keys(serve, tmp_path):
    """With keys it says that one is needed, and shows none."""
    result = serve(CLAUDE_PROXY_API_KEYS=f"laptop:{'s' * 16}")
    assert isinstance(result.exception, Became)
    assert "with its API key as $KEY" in result.output
    assert "with one of its 2 API keys" in serve(CLAUDE_PROXY_API_KEYS=f"a:{'s' * 16},b:{'t' * 16}").output
    assert '-H "Authorization: Bearer $KEY"' in result.output
    assert "s" * 16 not in result.output
    KeyFile(tmp_path / "state").path.write_text("{")
    KeyFile(tmp_path / "state").path.chmod(0o600)
    serve.became = None
    assert "are damaged" in refused(serve, serve())


def test_no_key_left(serve, tmp_path):
    """After the last key's end it says that nobody can call, and what to do."""
    file = KeyFile(tmp_path / "state")
    (tmp_path / "state").mkdir(mode=0o700)
    file.add("a")
    file.revoke("a")
    result = serve()
    assert "no API key is left, so nobody can call it: `claude-max-api key add NAME`" in result.output
    assert "curl" not in result.output


def test_demo(serve):
    """The demo asks for no login."""
    result = serve("--demo")
    assert "no login needed" in result.output
    assert "curl" in result.output
    assert serve.became[2]["CLAUDE_PROXY_DEMO"] == "1"


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"PORT": "http"}, r"PORT=http .*1 to 65535"),
        ({"CLAUDE_PROXY_TIMEOUT": "soon"}, r"CLAUDE_PROXY_TIMEOUT=soon .*seconds"),
        ({"HOST": "0.0.0.0"}, r"HOST=0\.0\.0\.0 .*without a key.*HOST=127\.0\.0\.1"),
        ({"HOST": "::"}, r"HOST=:: .*without a key"),
        ({"CLAUDE_BIN": "/no/such/claude"}, r"CLAUDE_BIN=/no/such/claude is not an executable"),
        ({"FAKE_VERSION": "2.1.119"}, r"is version 2\.1\.119; .*2\.1\.120 or newer: run `/.*/fake_claude\.py update`"),
        ({"FAKE_VERSION": "unheard of"}, r"does not tell a version"),
        ({"CLAUDE_PROXY_WORKSPACE": "/no/such/folder"}, r"CLAUDE_PROXY_WORKSPACE=/no/such/folder is no folder"),
        ({"CLAUDE_PROXY_TOOLS": "Read,Grap"}, r"CLAUDE_PROXY_TOOLS=Read,Grap .*Grap is none \(did you mean Grep\?\)"),
        ({"CLAUDE_PROXY_STATE_DIR": "/dev/null/state"}, r"CLAUDE_PROXY_STATE_DIR: /dev/null/state cannot be used"),
    ],
)
def test_refusals(serve, env, said):
    """What cannot work is refused in one sentence that names the setting or the remedy."""
    assert re.search(said, refused(serve, serve(**env)))


def test_missing(serve, monkeypatch):
    """Without any CLI it says how to install one."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    sentence = refused(serve, serve(CLAUDE_BIN="", PATH="/nowhere"))
    assert "`npm install -g @anthropic-ai/claude-code`" in sentence
    assert "`curl -fsSL https://claude.ai/install.sh | bash`" in sentence
    assert f"`uv pip install --python {sys.executable} claude-agent-sdk`" in sentence  # as there is no pip to be found


def test_missing_beside_pip(serve, monkeypatch):
    """Where there is a pip, it is the one of this environment that brings a copy."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if "sdk" in name else object())
    sentence = refused(serve, serve(CLAUDE_BIN="", PATH="/nowhere"))
    assert f"`{sys.executable} -m pip install claude-agent-sdk`" in sentence


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_port_taken(serve, host):
    """A port that is taken is named, and another one suggested."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as other:
        try:
            other.bind((host, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        other.listen()
        port = other.getsockname()[1]
        sentence = refused(serve, serve(str(port), HOST=host))
    assert f"port {port} is taken" in sentence
    assert f"claude-max-api serve {port + 1}" in sentence


@pytest.mark.parametrize(("taken", "free"), [("127.0.0.1", "::1"), ("::1", "127.0.0.1")])
def test_port_taken_on_one_address(serve, taken, free):
    """Where another program has the port on one of `localhost`'s two addresses, it says which, and what to do."""
    if address.listened("localhost") != address.LOOPBACK:
        pytest.skip("no IPv6 here")
    with socket.socket(address.family(taken)) as other:
        other.bind((taken, 0))
        other.listen()
        port = other.getsockname()[1]
        sentence = refused(serve, serve(str(port)))
        assert f"port {port} is taken on {taken}, though not on {free}" in sentence
        assert f"`claude-max-api serve {port + 1}`, or set HOST={free}" in sentence
        assert isinstance(serve(str(port), HOST=free).exception, Became)


def test_port_that_was_just_used(serve):
    """A server that has just stopped does not keep the port from the next."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            other.accept()[0].close()
    assert isinstance(serve(str(port)).exception, Became)


@pytest.mark.parametrize("port", ["0", "65536", "http"])
def test_bad_argument(serve, port):
    """A port that is none is click's business, and nothing starts."""
    assert serve(port).exit_code == 2
    assert serve.became is None


def test_version():
    """The version is the distribution's."""
    assert __version__ in CliRunner().invoke(main, ["--version"]).output


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]"])
def test_gunicorn_listens_where_serve_looked(serve, monkeypatch, host):
    """What gunicorn reads is the address that was checked."""
    port = free_port()
    if not isinstance(serve(str(port), HOST=host).exception, Became):
        pytest.skip("no IPv6 here")
    for name in ("HOST", "PORT"):
        monkeypatch.setenv(name, serve.became[2][name])
    bind = runpy.run_path(str(Path(app.__file__).parent / "gunicorn_config.py"))["bind"]
    wanted = address.listened(host.strip("[]"))
    assert [gunicorn.util.parse_address(each) for each in bind] == [(each, port) for each in wanted]


def test_ollama_port_taken(serve):
    """The port of Ollama's clients is named where it is taken, most likely by Ollama."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        sentence = refused(serve, serve(str(free_port()), HOST="127.0.0.1", CLAUDE_PROXY_OLLAMA_PORT=port))
    assert f"CLAUDE_PROXY_OLLAMA_PORT={port} is taken, perhaps by Ollama itself" in sentence
