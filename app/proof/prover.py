"""Proving the executables of a running server, in the background: each once, when nobody waits for an answer."""

from __future__ import annotations

import logging
import threading
import time

from app.claude.cli.binary import Binary, others
from app.claude.pool import Pool
from app.config import Settings
from app.errors import CliFailed
from app.proof import report
from app.proof.broken import Unprovable
from app.proof.proving import prove

log = logging.getLogger(__name__)

# How often the prover looks for something to prove.
LOOK_SECONDS = 1.0
# How long the server must have been quiet, and how long to wait for that. A server that is never quiet proves in the
# end with what its cores have left.
QUIET_SECONDS = 2.0
MAX_WAIT_SECONDS = 600.0
# How long requests that come meanwhile may hold a probe up.
GIVE_WAY_SECONDS = 10.0
# If an executable could not be tried, the next try waits, twice as long each time.
FIRST_PAUSE_SECONDS = 30.0
MAX_PAUSE_SECONDS = 3600.0


class Prover:
    """Proves the executable that serves or will serve; if that breaks a promise, one that could take its place.

    `proving` is the executable under trial; the pool tells why the last trial could not be made.
    """

    def __init__(self, pool: Pool, settings: Settings) -> None:
        self.proving: Binary | None = None
        self._pool = pool
        self._settings = settings
        self._tried: set[Binary] = set()
        self._pause = self._paused_until = 0.0
        self._thread = threading.Thread(target=self._keep, name="prover", daemon=True)

    def open(self) -> None:
        """Begin to look; it ends with the pool."""
        self._thread.start()

    def _keep(self) -> None:
        wanted_since = quiet_since = time.monotonic()
        while not self._pool.draining:
            time.sleep(LOOK_SECONDS)
            now = time.monotonic()
            if self._busy():
                quiet_since = now
            try:
                binary = self._wanted() if now >= self._paused_until else None
                if binary is None:
                    wanted_since = now
                elif now - quiet_since >= QUIET_SECONDS or now - wanted_since >= MAX_WAIT_SECONDS:
                    self._prove(binary)
            except Exception:
                # No other thread does this work, so this one must survive every error.
                self._wait_longer()
                log.exception("not proven")

    def _busy(self) -> bool:
        processes = self._pool.processes
        spares = processes.keeper.spares()
        starting = spares["ready"] < spares["wanted"] and processes.keeper.problem is None
        return bool(self._pool.slots.running or self._pool.slots.waiting) or starting

    def _wanted(self) -> Binary | None:
        """Return what should be proven next, if anything."""
        locator = self._pool.processes.locator
        try:
            choice = locator.choice()
        except CliFailed:
            return None
        found, proof = choice.found, choice.proof
        # A broken one gets another chance with each start of the server: the machine may have been the reason.
        if found is not None and found not in self._tried and (proof is None or not proof.holds):
            return found
        if found is not None and (proof is None or proof.holds):
            return None
        if choice.serving is not None and choice.serving != found:
            return None
        return next(iter(self._substitutes()), None)

    def _substitutes(self) -> list[Binary]:
        """Return what could take the place of an executable that is broken, newest version first."""
        locator, found = self._pool.processes.locator, []
        for path in others(self._settings):
            try:
                binary = locator.look(path)
            except CliFailed:
                continue
            if binary not in self._tried and locator.proof(binary) is None:
                found.append(binary)
        return sorted(found, key=lambda binary: binary.version, reverse=True)

    def _prove(self, binary: Binary) -> None:
        processes = self._pool.processes
        self.proving = binary
        try:
            path = self._settings.cli_environ.get("PATH", "")
            proof = prove(binary, processes.registry, path, give_way=self._give_way)
            if self._pool.draining:
                return  # the probes failed since their processes were ended
            self._tried.add(binary)
            self._pool.unproven, self._pause = None, 0.0
            report.log_outcome(proof, processes.locator.proofs.before(proof), processes.locator.remedy(binary))
            processes.locator.proofs.keep(proof)
        except Unprovable as error:
            if not self._pool.draining:
                self._wait_longer()
                self._pool.unproven = f"claude {binary.version_text} could not be proven: {error}"
                log.warning("%s; next try in %.0f s", self._pool.unproven, self._pause)
        except OSError as error:
            log.warning("the proof cannot be kept beyond this run: %s", error.strerror)
        finally:
            self.proving = None
            processes.keeper.wake()

    def _give_way(self) -> None:
        deadline = time.monotonic() + GIVE_WAY_SECONDS
        while self._pool.slots.running and time.monotonic() < deadline:
            time.sleep(0.05)
        if self._pool.draining:
            raise Unprovable("the server is shutting down")

    def _wait_longer(self) -> None:
        self._pause = min(MAX_PAUSE_SECONDS, self._pause * 2 or FIRST_PAUSE_SECONDS)
        self._paused_until = time.monotonic() + self._pause
