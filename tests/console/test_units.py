"""The files that the service managers read: what is in them, and that the managers can read them."""

from __future__ import annotations

import plistlib
import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

from app.config import Settings
from app.console.service import launchd
from app.console.service.installation import Installation
from app.console.service.launchd import LaunchAgent
from app.console.service.systemd import UserUnit

ROOT = Path(__file__).parent.parent.parent
GRACE = runpy.run_path(str(ROOT / "app" / "gunicorn_config.py"))["graceful_timeout"]
AWKWARD = 'a "b" \\c 100% $HOME é\nnext'


@pytest.fixture
def install(environment, program, monkeypatch):
    """Give a function that returns the installation a machine's user would get with these variables set."""

    def build(machine, **env):
        given = {k: v for k, v in environment(**env).items() if k != "ANTHROPIC_BASE_URL"}
        monkeypatch.setattr(type(machine), "environ", given)
        return Installation.of(machine, Settings.from_environ(given))

    return build


def words(text, name):
    """Return the values of one key of a unit."""
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


def test_template_is_the_one_in_launchd():
    """The file that is packaged is the template of the folder `launchd`, and packaged it is."""
    assert launchd.TEMPLATE.resolve() == (ROOT / "launchd" / launchd.TEMPLATE.name).resolve()
    assert "app.console.service =\n    *.plist\n" in (ROOT / "setup.cfg").read_text()


def test_plist(install, mac, program, home):
    """launchd can read it; it starts this installation, waits longer for its end than gunicorn, and has no holes."""
    data = LaunchAgent(mac).content(install(mac, PORT="3460", CLAUDE_PROXY_SPARES="2"))
    agent = plistlib.loads(data)
    assert agent["ProgramArguments"] == [str(program), "serve", "3460"]
    assert agent["ExitTimeOut"] > GRACE
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert agent["ThrottleInterval"] >= 10
    assert agent["StandardErrorPath"] == f"{home}/Library/Logs/claude-max-proxy.log"
    environ = agent["EnvironmentVariables"]
    assert environ["HOME"] == str(home)
    assert environ["PATH"] == f"{home}/.local/bin:/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin"
    assert environ["CLAUDE_PROXY_SPARES"] == "2"
    assert environ["OBJC_DISABLE_INITIALIZE_FORK_SAFETY"] == "YES"
    assert b"@" not in data


def test_unit(install, linux):
    """It restarts after a crash, not in a tight loop, and waits longer for the end than gunicorn."""
    text = UserUnit(linux).content(install(linux, PORT="3460")).decode()
    assert words(text, "Restart") == ["on-failure"]
    assert int(words(text, "RestartSec")[0]) >= 10
    assert int(words(text, "TimeoutStopSec")[0]) > GRACE
    assert words(text, "KillMode") == ["mixed"]
    assert words(text, "WantedBy") == ["default.target"]


@pytest.mark.parametrize("value", ["plain", AWKWARD])
def test_systemd_can_read_it(install, linux, program, tmp_path, value):
    """systemd finds nothing wrong with it, and sees the very paths and values that were given."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    program.write_text("#!/bin/sh\n")
    path = tmp_path / "claude-max-proxy.service"
    path.write_bytes(UserUnit(linux).content(install(linux, CLAUDE_PROXY_DEFAULT_MODEL=value)))
    (tmp_path / "run").mkdir(mode=0o700)
    verify = ["systemd-analyze", "verify", "--user", "--man=no", "--recursive-errors=no", str(path)]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")}
    done = subprocess.run(verify, env=env, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_quoting(install, linux, program):
    """A path or a value with quotes, specifiers, variables or line ends stays one word."""
    text = UserUnit(linux).content(install(linux, CLAUDE_PROXY_DEFAULT_MODEL=AWKWARD)).decode()
    (command,) = words(text, "ExecStart")
    assert command.startswith(f'"{program}" serve '.replace("%", "%%"))
    assert r'Environment="CLAUDE_PROXY_DEFAULT_MODEL=a \"b\" \\c 100%% $HOME é\nnext"' in text.splitlines()


def test_settings_are_carried(install, linux, mac, home, monkeypatch):
    """The settings of the environment and what the CLI needs go into the service; paths become absolute."""
    monkeypatch.chdir(home)
    given = {
        "HOST": "::1",
        "CLAUDE_BIN": "bin/claude",
        "CLAUDE_PROXY_STATE_DIR": "here",
        "LOG_LEVEL": "debug",
        "LOG_FORMAT": "json",
        "CLAUDE_PROXY_LIMIT_PROBE": "300",
        "CLAUDE_PROXY_QUEUE_LIMIT": "2",
        "CLAUDE_CONFIG_DIR": "/cfg",
        "HTTPS_PROXY": "http://me:hunter2@proxy:8080",
        "CLAUDE_PROXY_PASS_ENV": "MINE",
        "MINE": "1",
        "UNRELATED": "1",
        "CLAUDE_PROXY_NO_SUCH": "1",
    }
    installation = install(linux, **given)
    absolute = {"CLAUDE_BIN": f"{home}/bin/claude", "CLAUDE_PROXY_STATE_DIR": f"{home}/here"}
    wanted = {k: v for k, v in (given | absolute).items() if k not in {"UNRELATED", "CLAUDE_PROXY_NO_SUCH"}}
    assert installation.environ == wanted
    agent = plistlib.loads(LaunchAgent(mac).content(installation))
    assert wanted.items() <= agent["EnvironmentVariables"].items()
    for unit in (UserUnit(linux), LaunchAgent(mac)):
        assert b"hunter2" in unit.content(installation)
        shown = unit.content(installation, hide=True)
        assert b"hunter2" not in shown
        assert b"********@proxy:8080" in shown


def test_credentials_stay_out(install, linux, mac):
    """A login or an API key is copied into no file, and its name is reported; the console's own key neither."""
    given = {"CLAUDE_PROXY_PASS_ENV": "ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY": "sk-x", "CLAUDE_PROXY_API_KEY": "k-x"}
    for machine, kind in ((linux, UserUnit), (mac, LaunchAgent)):
        installation = install(machine, CLAUDE_CODE_OAUTH_TOKEN="sk-ant-oat01-dummy", **given)
        assert installation.left_out == ("ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN")
        content = kind(machine).content(installation)
        assert not re.search(rb"sk-x|sk-ant|k-x", content)


def test_path_has_the_claude_in_use(install, linux, home):
    """A `claude` in a folder of its own, as nvm makes them, is found by the service too."""
    folder = home / "nvm" / "bin"
    folder.mkdir(parents=True)
    (folder / "claude").touch(mode=0o755)
    assert install(linux, PATH=f"{folder}:/usr/bin").path.split(":")[0] == str(folder)
    assert install(linux, PATH="/nowhere").path == f"{home}/.local/bin:/usr/local/bin:/usr/bin:/bin"


def test_unit_folder(linux, home, monkeypatch):
    """The unit goes where systemd looks for it; a relative XDG_CONFIG_HOME is ignored, as the standard says."""
    for given, folder in (("", home / ".config"), ("/cfg", Path("/cfg")), ("rel", home / ".config")):
        monkeypatch.setattr(type(linux), "environ", {"XDG_CONFIG_HOME": given})
        assert UserUnit(linux).file == folder / "systemd" / "user" / "claude-max-proxy.service"
