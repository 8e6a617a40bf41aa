"""What a running server does with an executable that it has not seen before, or that breaks a promise."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import broken_claude
import proven
import pytest
from server import Server, until

from app.claude.cli.proofs import Proof, Proofs

pytestmark = pytest.mark.timeout(240)
# A proof, on a machine that has other things to do, in seconds.
PATIENCE = 120.0


def cli(server: Server) -> dict[str, Any]:
    """Return what the server says of its executable."""
    return server.get("/ready")[1]["cli"]


def state_of(home: Path, *proofs: Proof) -> str:
    """Return a state folder in which this is proven."""
    state = home / "state"
    for one in proofs:
        Proofs(state).keep(one)
    return str(state)


def test_first_sight(serve: Callable[..., Server], tmp_path: Path) -> None:
    """A new executable serves at once, is proven when nobody asks, and not again by the next server."""
    state = state_of(tmp_path)
    server = serve(unproven=True, CLAUDE_PROXY_STATE_DIR=state)
    assert cli(server)["proof"] == {"state": "not proven yet"}
    assert server.chat("/hello")[0] == 200
    until(lambda: cli(server)["proof"]["state"] == "proven", PATIENCE, "proof")
    told = server.get("/ready")[1]
    assert told["cli"]["proof"]["broken"] == {}
    assert told["processes"]["started"]["proof"] >= 3
    assert "is proven" in server.log
    assert server.chat("/hello")[0] == 200
    server.stop()
    again = serve(unproven=True, CLAUDE_PROXY_STATE_DIR=state)
    assert cli(again)["proof"]["state"] == "proven"
    again.wait_for_spare()
    assert "proof" not in again.get("/ready")[1]["processes"]["started"]


def test_update(serve: Callable[..., Server], claude: Path, proof: Proof, tmp_path: Path) -> None:
    """An update to a version that breaks a promise costs no request: the one before goes on, and it is said why."""
    link = tmp_path / "bin" / "claude"
    link.parent.mkdir()
    link.symlink_to(claude)
    newer = broken_claude.write(tmp_path / "versions" / "2.1.999", claude, "offers its tools", version="2.1.999")
    server = serve(unproven=True, CLAUDE_BIN=str(link), CLAUDE_PROXY_STATE_DIR=state_of(tmp_path, proof))
    statuses: list[int] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(0.3):
            statuses.append(server.chat("hello", timeout=60)[0])

    asking = threading.Thread(target=ask)
    asking.start()
    fresh = tmp_path / "fresh"
    fresh.symlink_to(newer)
    fresh.replace(link)
    until(lambda: cli(server)["put_aside"], 20, "the notice of an unproven version")
    # A server that is never quiet would wait for minutes.
    stop.set()
    asking.join()
    until(lambda: "no_tools" in (cli(server)["put_aside"] or ""), PATIENCE, "proof")
    statuses.append(server.chat("hello")[0])
    told = server.get("/ready")
    assert told[0] == 200
    assert told[1]["cli"]["version"] == proof.version
    assert "claude 2.1.999 does not keep a promise" in told[1]["cli"]["put_aside"]
    assert set(statuses) == {200}
    assert "claude 2.1.999 is not to be used: it breaks no_tools" in server.log
    metrics = server.request("GET", "/metrics")[2].decode()
    assert "claude_proxy_cli_put_aside 1.0" in metrics
    assert "claude 2.1.999 does not keep a promise" in server.request("GET", "/")[2].decode()


@pytest.mark.parametrize("serves", [False, True])
def test_nothing_else(serve: Callable[..., Server], claude: Path, tmp_path: Path, *, serves: bool) -> None:
    """Where no other executable is proven, requests are refused by the promise's name, unless that is allowed."""
    bad = broken_claude.write(tmp_path / "claude", claude, "offers its tools", version="2.1.999")
    state = state_of(
        tmp_path, proven.pretended(bad, "2.1.999", ("no_tools",)), proven.pretended(claude, broken=("alone",))
    )
    more = {"CLAUDE_PROXY_UNPROVEN": "serve"} if serves else {}
    server = serve(unproven=True, CLAUDE_BIN=str(bad), CLAUDE_PROXY_STATE_DIR=state, **more)
    status, _, body = server.chat("hello")
    ready, told = server.get("/ready")
    if serves:
        assert (status, ready) == (200, 200)
        assert "no_tools" in told["cli"]["put_aside"]
        return
    assert (status, body["error"]["code"]) == (502, "cli_unproven")
    assert "`no_tools`: a plain chat is offered no tool" in body["error"]["message"]
    assert "CLAUDE_PROXY_UNPROVEN=serve" in body["error"]["message"]
    assert ready == 503
    assert "no_tools" in told["reason"]


def test_substitute(serve: Callable[..., Server], claude: Path, proof: Proof, tmp_path: Path) -> None:
    """Where nothing is proven that could take its place, what is there is proven, and serves."""
    bad = broken_claude.write(tmp_path / "claude", claude, "does not start", version="2.1.999")
    server = serve(
        unproven=True, CLAUDE_BIN=str(bad), CLAUDE_PROXY_STATE_DIR=state_of(tmp_path), CLAUDE_PROXY_SPARES="0"
    )
    until(lambda: cli(server).get("version") == proof.version, PATIENCE, "the bundled one")
    assert "starts" in cli(server)["put_aside"]
    assert server.chat("hello")[0] == 200


@pytest.mark.parametrize(
    ("promise", "asked", "refused"),
    [
        ("effort", {"reasoning_effort": "low"}, True),
        ("max_tokens", {"max_tokens": 50}, True),
        ("structured", {"response_format": {"type": "json_object"}}, True),
        ("effort", {}, False),
        ("going_back", {}, False),
        ("composed", {}, False),
    ],
)
def test_conveniences(
    serve: Callable[..., Server], claude: Path, tmp_path: Path, promise: str, asked: dict[str, Any], *, refused: bool
) -> None:
    """What is broken and not essential stops only what cannot be had in another way."""
    state = state_of(tmp_path, proven.pretended(claude, broken=(promise,)))
    server = serve(unproven=True, CLAUDE_PROXY_STATE_DIR=state, CLAUDE_PROXY_SPARES="0")
    status, _, body = server.chat("/hello", **asked)
    assert status == (502 if refused else 200)
    if refused:
        assert body["error"]["code"] == "cli_unproven"
        assert f"`{promise}`" in body["error"]["message"]
    assert promise in cli(server)["proof"]["broken"]
