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

# How often it is looked whether there is something to prove, in seconds.
LOOK = 1.0
# How long the server must have been quiet, and for how long quiet is waited for at most, in seconds: a server that is
# never quiet proves all the same, on what its cores have left.
QUIET = 2.0
MOST_WAITED = 600.0
# How long a probe is held up by requests that came meanwhile, in seconds.
GIVEN_WAY = 10.0
# Where it could not be found out, the next try waits, twice as long each time, in seconds.
FIRST_PAUSE = 30.0
LONGEST_PAUSE = 3600.0


class Prover:
    """Proves what serves, or is to serve, and has not been proven; and where that is broken, what could take its place.

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
            time.sleep(LOOK)
            now = time.monotonic()
            if self._busy():
                quiet_since = now
            try:
                binary = self._wanted() if now >= self._paused_until else None
                if binary is None:
                    wanted_since = now
                elif now - quiet_since >= QUIET or now - wanted_since >= MOST_WAITED:
                    self._prove(binary)
            except Exception:
                # This thread is the only one: it must outlive what nobody foresaw.
                self._wait_longer()
                log.exception("not proven")

    def _busy(self) -> bool:
        supply = self._pool.supply
        spares = supply.keeper.spares()
        starting = spares["ready"] < spares["wanted"] and supply.keeper.problem is None
        return bool(self._pool.slots.running or self._pool.slots.waiting) or starting

    def _wanted(self) -> Binary | None:
        """Return what should be proven next, if anything."""
        locator = self._pool.supply.locator
        try:
            choice = locator.choice()
        except CliFailed:
            return None
        found, proof = choice.found, choice.proof
        # One that was broken gets another chance with each start of the server: it may have been the machine.
        if found is not None and found not in self._tried and (proof is None or not proof.holds):
            return found
        if found is not None and (proof is None or proof.holds):
            return None
        if choice.serving is not None and choice.serving != found:
            return None
        return next(iter(self._substitutes()), None)

    def _substitutes(self) -> list[Binary]:
        """Return what could take the place of an executable that is broken, newest version first."""
        locator, found = self._pool.supply.locator, []
        for path in others(self._settings):
            try:
                binary = locator.look(path)
            except CliFailed:
                continue
            if binary not in self._tried and locator.proof(binary) is None:
                found.append(binary)
        return sorted(found, key=lambda binary: binary.version, reverse=True)

    def _prove(self, binary: Binary) -> None:
        supply = self._pool.supply
        self.proving = binary
        try:
            path = self._settings.cli_environ.get("PATH", "")
            proof = prove(binary, supply.registry, path, give_way=self._give_way)
            if self._pool.draining:
                return  # the probes failed since their processes were ended
            self._tried.add(binary)
            self._pool.unproven, self._pause = None, 0.0
            report.log_outcome(proof, supply.locator.proofs.before(proof), supply.locator.remedy(binary))
            supply.locator.proofs.keep(proof)
        except Unprovable as error:
            if not self._pool.draining:
                self._wait_longer()
                self._pool.unproven = f"claude {binary.version_text} could not be proven: {error}"
                log.warning("%s; next try in %.0f s", self._pool.unproven, self._pause)
        except OSError as error:
            log.warning("the proof cannot be kept beyond this run: %s", error.strerror)
        finally:
            self.proving = None
            supply.refill()

    def _give_way(self) -> None:
        deadline = time.monotonic() + GIVEN_WAY
        while self._pool.slots.running and time.monotonic() < deadline:
            time.sleep(0.05)
        if self._pool.draining:
            raise Unprovable("the server is shutting down")

    def _wait_longer(self) -> None:
        self._pause = min(LONGEST_PAUSE, self._pause * 2 or FIRST_PAUSE)
        self._paused_until = time.monotonic() + self._pause
