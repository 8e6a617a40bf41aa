"""What goes into the service of this installation: settings, what the CLI needs, no credentials."""

from __future__ import annotations

import plistlib
import re

from app.console.service.launchd import LaunchAgent
from app.console.service.systemd import UserUnit


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
