"""The demo: the real CLI, without a login or network, against canned answers on loopback."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from app.config import Settings
from app.standin import StandIn, demo_reply

# Not a credential: the CLI asks for a token before it asks the stand-in, which takes any.
TOKEN = "sk-ant-oat01-dummy"  # noqa: S105


def settings_for(settings: Settings) -> tuple[Settings, Callable[[], None]]:
    """Return settings whose CLI sees a stand-in API and nothing of the user's, and what starts that in this process."""
    standin = StandIn(reply=demo_reply, record=False)
    state_dir = settings.state_dir / "demo"
    environ = {
        "PATH": settings.cli_environ.get("PATH", ""),
        "HOME": str(state_dir / "home"),
        "CLAUDE_CODE_OAUTH_TOKEN": TOKEN,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }

    def start() -> None:
        standin.start()
        environ["ANTHROPIC_BASE_URL"] = standin.url  # known only now: it takes a free port

    return dataclasses.replace(settings, state_dir=state_dir, cli_environ=environ), start
