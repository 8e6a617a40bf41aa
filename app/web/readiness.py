"""Whether a request would be answered, as far as can be told without spending a token."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from app.claude.failure import login_sentence
from app.claude.pool import Pool
from app.claude.proofs import Proof
from app.errors import CliFailed
from app.web.state import State

# Spares may have failed for these before the executable was put right; it is looked at anew.
LOOKED_AT = frozenset({"cli_missing", "cli_version"})


def verdict(pool: Pool) -> dict[str, Any]:
    """Return `status`, `reason`, `cli` and `login`; it may run the CLI, and take a second."""
    supply = pool.supply
    cli: dict[str, Any] = {"found": False, "put_aside": None}
    login = "unknown"
    reason = "The server is shutting down." if pool.draining else None
    try:
        choice = supply.locator.choice()
        binary = choice.current()
    except CliFailed as error:
        reason = reason or error.message
    else:
        cli = {
            "found": True,
            "path": str(binary.path),
            "version": binary.version_text,
            "proof": _proof(supply.locator.proof(binary)),
            "put_aside": choice.put_aside,
        }
        login = supply.login.state(binary.path)
        if login in {"absent", "failed"}:
            reason = reason or login_sentence(supply.login.command(binary.path))
        elif supply.spares.problem is not None and supply.spares.problem.code not in LOOKED_AT:
            reason = reason or supply.spares.problem.message
    return {"status": "ready" if reason is None else "not_ready", "reason": reason, "cli": cli, "login": login}


def _proof(proof: Proof | None) -> dict[str, Any]:
    """Return how far an executable is proven, and which promises it does not keep."""
    if proof is None:
        return {"state": "not proven yet"}
    return {
        "state": "proven" if proof.holds else "broken",
        "at": proof.at,
        "promises": len(proof.outcomes),
        "broken": {outcome.promise: f"{outcome.sentence}: {outcome.detail}" for outcome in proof.broken},
    }


def counts(state: State, view: str | None) -> dict[str, Any]:
    """Return what can be read off at once: the plan, turns, processes and last errors.

    The errors are those of the owner `view`, None for all. A used-up plan is no failure of the server: it stays ready,
    since other models may be open, and `limited` says it.
    """
    pool = state.pool
    supply = pool.supply
    limits = supply.plan.limits
    return {
        "demo": bool(state.settings.demo),
        "unproven": state.prover.problem,
        "limited": limits[0].message if limits else None,
        "uptime_s": round(time.monotonic() - state.began, 1),
        "slots": {"limit": pool.slots.limit, "running": pool.slots.running, "waiting": pool.slots.waiting},
        "spares": {"wanted": supply.spares.wanted, "ready": supply.spares.ready},
        "agents": {"wanted": supply.agents.wanted, "ready": supply.agents.ready},
        "primed": {"limit": supply.primed.limit, "ready": supply.primed.ready},
        "kept": {"limit": supply.kept.limit, "idle": supply.kept.idle, "parked": supply.kept.parked},
        "processes": {
            "live": len(supply.registry),
            "started": dict(supply.registry.starts),
            "ended": dict(supply.registry.ends),
        },
        "plan": {"windows": msgspec.to_builtins(supply.plan.windows), "limits": msgspec.to_builtins(limits)},
        "last_errors": state.history.errors(view),
    }
