"""Proofs for servers under test, so that not every one of them has to prove its CLI anew."""

from __future__ import annotations

import fcntl
import time
from pathlib import Path

import hermetic

from app.claude.cli.binary import Binary, Locator
from app.claude.cli.proofs import Outcome, Proof, Proofs, edition
from app.claude.cli.registry import Registry
from app.config_reading import read_settings
from app.proof.proving import PROMISES, prove


def real(claude: Path, folder: Path) -> Proof:
    """Return what is proven of the real CLI, proving it where nobody has done so in this `folder`."""
    binary = found(claude, folder)
    proofs = Proofs(folder)
    mtime_ns, size, _ = binary.stamp
    with (folder / "proof.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        proof = proofs.of(binary.path, size, mtime_ns)
        if proof is None:
            registry = Registry(folder)
            proof = prove(binary, registry, "/usr/bin:/bin")
            registry.close()
            proofs.keep(proof)
    return proof


def pretended(executable: Path, version: str = "2.1.330", broken: tuple[str, ...] = ()) -> Proof:
    """Return a proof of an executable that nobody has tried, for fakes: all promises are kept, but for these."""
    status = executable.stat()
    outcomes = tuple(
        Outcome(
            promise.name,
            promise.sentence,
            promise.name not in broken,
            promise.essential,
            promise.switches,
            "as a test wants it" if promise.name in broken else "",
        )
        for promise in PROMISES
    )
    return Proof(
        path=str(executable),
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        version=version,
        edition=edition(),
        at=time.time(),
        seconds=1.0,
        cpu_seconds=1.0,
        outcomes=outcomes,
    )


def found(claude: Path, folder: Path) -> Binary:
    """Return the executable as a server finds it."""
    return Locator(read_settings(hermetic.environment(folder, CLAUDE_BIN=str(claude)))).found()
