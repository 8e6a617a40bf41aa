"""The demo: the real CLI, without a login or network, against canned answers on loopback."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from app.config import Settings
from app.models import Catalogue
from app.standin import Failure, Reply, StandIn, demo_reply

# Its own state, in the user's state folder: what is said and used in a demo is not in the user's sessions and figures.
FOLDER = "demo"
# Not a credential: the CLI asks for a token before it asks the stand-in, which takes any.
TOKEN = "sk-ant-oat01-dummy"  # noqa: S105


def settings_for(settings: Settings, catalogue: Catalogue) -> tuple[Settings, Callable[[], None]]:
    """Return settings whose CLI sees a stand-in API and nothing of the user's, and what starts that in this process.

    Of models that `catalogue` cannot know of it says what the API says.
    """

    def reply(body: Mapping[str, Any]) -> Reply | Failure:
        model = str(body.get("model"))
        return demo_reply(body) if catalogue.knows(model) else Failure.not_found(f"model: {model}")

    standin = StandIn(reply=reply, record=False)
    state_dir = settings.state_dir / FOLDER
    environ = {
        "PATH": settings.cli_environ.get("PATH", ""),
        "HOME": str(state_dir / "home"),
        "CLAUDE_CODE_OAUTH_TOKEN": TOKEN,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }

    def start() -> None:
        standin.start()
        environ["ANTHROPIC_BASE_URL"] = standin.url  # known only now: it takes a free port

    return dataclasses.replace(settings, state_dir=state_dir, database=None, cli_environ=environ), start
