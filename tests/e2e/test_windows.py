"""The plan's windows after a restart, with the account that the real `claude` names."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hermetic
import pytest
from server import Server, until

from app.standin import Reply, StandIn, Text, plan_headers


def account(home: Path, name: str) -> None:
    """Log `claude` in as somebody, as its own login leaves it behind."""
    home.joinpath(".claude").mkdir(parents=True, exist_ok=True)
    login = {
        "accessToken": hermetic.DUMMY_TOKEN,
        "refreshToken": "none",
        "expiresAt": int(time.time() * 1000) + 86_400_000,
        "scopes": ["user:inference"],
        "subscriptionType": "max",
    }
    home.joinpath(".claude", ".credentials.json").write_text(json.dumps({"claudeAiOauth": login}))
    known = {"emailAddress": f"{name}@example.org", "organizationName": name, "accountUuid": name}
    home.joinpath(".claude.json").write_text(json.dumps({"oauthAccount": known}))


@pytest.fixture
def start(serve: Callable[..., Server], tmp_path: Path) -> Callable[[], Server]:
    """Start a server with the same home, logged in as its `claude` is."""
    given = {"HOME": str(tmp_path), "CLAUDE_PROXY_STATE_DIR": str(tmp_path / "state"), "CLAUDE_CODE_OAUTH_TOKEN": ""}
    (tmp_path / "state").mkdir(mode=0o700)
    return lambda: serve(**given)


def test_after_a_restart(start: Callable[[], Server], standin: StandIn, tmp_path: Path) -> None:
    """What was seen of the windows is known again with the login, before anybody has asked; not with another login."""
    reset = int(time.time()) + 3600
    standin.reply = lambda _: Reply((Text("Hello."),), headers=plan_headers("allowed_warning", resets_at=reset))
    account(tmp_path, "ann")

    def windows(server: Server) -> dict[str, Any]:
        status, told = server.get("/ready")
        assert status == 200
        return {name: window["used_percent"] for name, window in told["plan"]["windows"].items()}

    server = start()
    assert server.chat("Hello.")[0] == 200
    before = windows(server)
    assert before
    server.stop()
    again = start()
    until(lambda: windows(again) == before, 20, "the windows")
    assert len(standin.messages) == 1
    again.stop()
    account(tmp_path, "bob")
    other = start()
    assert windows(other) == {}
    weekly = plan_headers("allowed_warning", window="seven_day", resets_at=reset)
    standin.reply = lambda _: Reply((Text("Hello."),), headers=weekly)
    assert other.chat("Hello.")[0] == 200
    file = tmp_path / "state" / "shares.json"
    kept = until(lambda: len(known := json.loads(file.read_text())) == 3 and known, 20, "bob's window")
    assert list(windows(other)) == ["seven_day"]
    assert sorted(name.partition(" ")[0] for name in kept) == ["five_hour", "seven_day", "seven_day"]
    assert "ann" not in str(kept)
