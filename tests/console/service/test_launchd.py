"""The agent that launchd reads: what is in it, and that it can be read."""

from __future__ import annotations

import plistlib
import runpy
from pathlib import Path

from app.console.service import launchd
from app.console.service.launchd import LaunchAgent

ROOT = Path(__file__).parent.parent.parent.parent
GRACE = runpy.run_path(str(ROOT / "app" / "gunicorn_config.py"))["graceful_timeout"]


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
