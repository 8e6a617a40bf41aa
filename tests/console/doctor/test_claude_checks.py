"""claude-max-api doctor: what can be wrong with the CLI is named, with what mends it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time

import hermetic
import pytest

from app.backend import Extra
from app.claude.cli.extra_usage import ExtraUsageFile
from console.conftest import FAKE_CLAUDE, failures

LOGGED_IN = '{"loggedIn": true}'


def test_no_cli(doctor, monkeypatch):
    """Without any CLI it says how to install one; what depends on it is not blamed, and the rest is looked at."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = doctor(CLAUDE_BIN="", PATH="/nowhere")
    assert failures(found) == {"claude"}
    assert found["claude"][2] == "curl -fsSL https://claude.ai/install.sh | bash"
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
        ('{"loggedIn": false}', "fail", "claude-max-api login"),
        ("gibberish", "warn", "{claude} auth status"),
    ],
)
def test_login(doctor, script, told, verdict, command):
    """A CLI without a login is named; one that does not tell is warned of."""
    claude = script(f"""[ "$1" = auth ] && echo '{told}' && exit 1\nexec {sys.executable} {FAKE_CLAUDE} "$@" """)
    found = doctor(CLAUDE_BIN=claude)
    assert found["login"][::2] == (verdict, command.format(claude=claude))
    assert found["start"][0] == "pass"


@pytest.mark.parametrize(
    ("told", "verdict", "said"),
    [
        ('{"loggedIn": true, "authMethod": "claude.ai", "apiProvider": "firstParty"}', "pass", "plan (once an answer"),
        ('{"loggedIn": true, "authMethod": "api_key"}', "warn", "api key, which is billed"),
        ('{"loggedIn": true, "authMethod": "third_party", "apiProvider": "vertex"}', "warn", "Vertex, which is billed"),
    ],
)
def test_who_pays(doctor, script, told, verdict, said):
    """Who pays is said as claude tells it; what the operator chose is no failure."""
    claude = script(f"""[ "$1" = auth ] && echo '{told}' && exit\nexec {sys.executable} {FAKE_CLAUDE} "$@" """)
    found = doctor(CLAUDE_BIN=claude)
    assert found["login"][0] == "pass"
    assert (found["paid by"][0], found["paid by"][1].startswith(said)) == (verdict, True)


def test_extra_usage(doctor, script, home):
    """An answer that was billed beyond the plan is told, with the command that accepts it."""
    folder = home / "state"
    folder.mkdir(mode=0o700)
    now = time.time()
    extra = Extra("five_hour", "all", now, now + 3600)
    ExtraUsageFile(folder).write({("five_hour", "all"): extra})
    claude = script(
        f"""[ "$1" = auth ] && echo '{{"loggedIn": true}}' && exit\nexec {sys.executable} {FAKE_CLAUDE} "$@" """
    )
    given = {"CLAUDE_BIN": claude, "CLAUDE_PROXY_STATE_DIR": str(folder)}
    found = doctor(**given)["paid by"]
    assert (found[0], "requests are refused until" in found[1], found[2][:22]) == (
        "warn",
        True,
        "claude-max-api resume ",
    )
    assert "requests are answered" in doctor(**given, CLAUDE_PROXY_EXTRA_USAGE="warn")["paid by"][1]
    assert doctor(**given, CLAUDE_PROXY_EXTRA_USAGE="allow")["paid by"][0] == "pass"


def test_command_of_the_cli_on_path(doctor, script, home):
    """The remedy is what one types: a `claude` on PATH is called by its name."""
    script("""[ "$1" = auth ] && echo '{"loggedIn": false}' && exit 1\necho 2.1.330""")
    found = doctor(CLAUDE_BIN="", PATH=f"{home}:{os.environ['PATH']}")
    assert found["login"][2] == "claude-max-api login"


def test_cli_that_does_not_start(doctor, script):
    """A CLI that ends at its start is named with its own last words."""
    claude = script("""[ "$1" = --version ] && echo 2.1.330 && exit
[ "$1" = auth ] && echo '{"loggedIn": true}' && exit
echo first >&2; echo 'no such option' >&2; exit 1""")
    found = doctor(CLAUDE_BIN=claude)
    assert failures(found) == {"start"}
    assert found["start"][1] == "The claude CLI ended at its start. It said: no such option"


def test_digest(doctor, script):
    """The login's digest, by which a key can be bound to it, is shown and not the account."""
    said = '[ "$*" = "auth status" ] && echo \'{"loggedIn": true, "email": "ann@example.org"}\' || echo 2.1.330'
    verdict, text, _ = doctor(CLAUDE_BIN=script(said))["login"]
    assert verdict == "pass"
    assert re.fullmatch(r"logged in, known as [0-9a-f]{16} \(`key add NAME --login`\)", text)


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
