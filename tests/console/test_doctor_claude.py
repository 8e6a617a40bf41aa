"""claude-max-api doctor: what can be wrong with the CLI is named, with what mends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import hermetic
import pytest

from .conftest import FAKE_CLAUDE, failures


def test_no_cli(doctor, monkeypatch):
    """Without any CLI it says how to install one; what depends on it is not blamed, and the rest is looked at."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = doctor(CLAUDE_BIN="", PATH="/nowhere")
    assert failures(found) == {"claude"}
    assert found["claude"][2] == "npm install -g @anthropic-ai/claude-code"
    assert {found[name][0] for name in ("version", "login", "start")} == {"skip"}
    assert found["port"][0] == "pass"


def test_wrong_cli(doctor):
    """A CLAUDE_BIN that is not there is named, and another remedy with it."""
    verdict, text, remedy = doctor(CLAUDE_BIN="/no/such/claude")["claude"]
    assert (verdict, remedy) == ("fail", "unset CLAUDE_BIN")
    assert "/no/such/claude" in text


def test_old_cli(doctor):
    """A version that is too old is named with the one that is needed."""
    found = doctor(FAKE_VERSION="2.1.119")
    assert failures(found) == {"version"}
    assert "2.1.119" in found["version"][1]
    assert "2.1.120" in found["version"][1]
    assert found["version"][2] == f"{FAKE_CLAUDE} update"


def test_strange_cli(doctor):
    """A program that tells no version gets looked at by hand."""
    assert doctor(FAKE_VERSION="none")["version"][::2] == ("fail", f"{FAKE_CLAUDE} --version")


@pytest.mark.parametrize(
    ("told", "verdict", "command"),
    [
        ('{"loggedIn": false}', "fail", "auth login"),
        ('{"loggedIn": true, "authMethod": "api_key"}', "warn", "auth login"),
        ("gibberish", "warn", "auth status"),
    ],
)
def test_login(doctor, script, told, verdict, command):
    """A CLI without a login is named; one whose login is billed, or that does not tell, is warned of."""
    claude = script(f"""[ "$1" = auth ] && echo '{told}' && exit 1\nexec {sys.executable} {FAKE_CLAUDE} "$@" """)
    found = doctor(CLAUDE_BIN=claude)
    assert found["login"][::2] == (verdict, f"{claude} {command}")
    assert found["start"][0] == "pass"


def test_command_of_the_cli_on_path(doctor, script, home):
    """The remedy is what one types: a `claude` on PATH is called by its name."""
    script("""[ "$1" = auth ] && echo '{"loggedIn": false}' && exit 1\necho 2.1.330""")
    found = doctor(CLAUDE_BIN="", PATH=f"{home}:{os.environ['PATH']}")
    assert found["login"][2] == "claude auth login"


def test_cli_that_does_not_start(doctor, script):
    """A CLI that ends at its start is named with its own last words."""
    claude = script("""[ "$1" = --version ] && echo 2.1.330 && exit
[ "$1" = auth ] && echo '{"loggedIn": true}' && exit
echo first >&2; echo 'no such option' >&2; exit 1""")
    found = doctor(CLAUDE_BIN=claude)
    assert failures(found) == {"start"}
    assert found["start"][1] == "The claude CLI ended at its start. It said: no such option"


@pytest.mark.parametrize("live", [False, True])
def test_real_cli(claude, standin, home, live):
    """With the real CLI it passes without one API request, and with --live it spends exactly one."""
    env = hermetic.environment(home, standin.url, CLAUDE_BIN=str(claude))
    argv = [
        sys.executable,
        "-c",
        "from app.console import main; main()",
        "doctor",
        *(["--live"] if live else []),
        "--json",
    ]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=50, check=False)
    found = {check["check"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 0, done.stdout
    assert found["login"]["text"] == "logged in (oauth_token)"
    assert "models" in found["start"]["text"]
    assert len(standin.messages) == live
    assert ("live answer" in found) == live
    if live:
        assert "said 'One two three.'" in found["live answer"]["text"]


def test_live_failure(script, home):
    """A live question that fails shows the status and the sentence that a client would get."""
    claude = script(f'FAKE_DEAD=1 exec {sys.executable} {FAKE_CLAUDE} "$@"')
    env = hermetic.environment(home, CLAUDE_BIN=claude)
    argv = [sys.executable, "-c", "from app.console import main; main()", "doctor", "--live"]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("--live spends one request of your plan.\n")
    assert "fail  live answer   502 cli_exited" in done.stdout
    assert "Traceback" not in done.stderr
