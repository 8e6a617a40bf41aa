"""When a server proves its executable: once, when it is quiet, and again later where that could not be done."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import proven
import pytest
from server import until

from app.claude.cli.proofs import Capabilities
from app.claude.pool import Pool
from app.config_reading import read_settings
from app.models import Catalogue
from app.proof import prover as module
from app.proof.broken import Unprovable
from app.proof.prover import Prover


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Give what opens a prover of scripts; `trials` are the executables it has tried, `answer` what it says."""
    import hermetic

    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(module, "others", lambda _: parts.others)
    parts = SimpleNamespace(trials=[], answer=lambda binary: proven.pretended(binary.path), others=[])
    pools = []

    def prove(binary, registry, path, **more):
        parts.trials.append(binary.path)
        more["give_way"]()
        return parts.answer(binary)

    monkeypatch.setattr(module, "prove", prove)

    def script(name="claude", version="2.1.330"):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\necho {version}\n")
        path.chmod(0o755)
        return path

    def start(**env):
        base = {"CLAUDE_BIN": str(script()), "CLAUDE_PROXY_SPARES": "0", **env}
        settings = read_settings(hermetic.environment(tmp_path, **base))
        pool = Pool(settings, Catalogue())
        pool.open()
        pools.append(pool)
        parts.prover = Prover(pool, settings)
        parts.pool, parts.locator = pool, pool.processes.locator
        parts.prover.open()
        return parts

    parts.start, parts.script = start, script
    yield parts
    for pool in pools:
        pool.close()
    parts.prover._thread.join(10)


def test_once(made):
    """An executable is tried once; from then on it may be relied on for what was found."""
    made.start()
    assert made.locator.current().capabilities == Capabilities()
    until(lambda: made.locator.current().capabilities.going_back)
    threading.Event().wait(0.2)
    assert made.trials == [made.locator.current().path]


def test_a_change(made):
    """One that has been replaced is tried again, and serves only then; the one before serves where it is there."""
    made.start()
    until(lambda: made.locator.current().capabilities.going_back)
    made.script(version="2.1.331")
    until(lambda: made.locator.current().version == (2, 1, 331) and made.locator.current().capabilities.going_back)
    assert len(made.trials) == 2


def test_waits_for_quiet(made):
    """While turns run nothing is tried."""
    made.start()
    made.prover._busy = lambda: True
    threading.Event().wait(0.3)
    assert made.trials == []
    del made.prover._busy
    until(lambda: made.trials)


def test_a_server_that_is_never_quiet(made, monkeypatch):
    """After some time it is tried all the same."""
    monkeypatch.setattr(module, "MAX_WAIT_SECONDS", 0.2)
    made.start()
    made.prover._busy = lambda: True
    until(lambda: made.trials)


def test_could_not_be_tried(made, monkeypatch, caplog):
    """What could not be found out breaks no promise: it serves on, it is told, and tried again later."""
    monkeypatch.setattr(module, "FIRST_PAUSE_SECONDS", 0.2)

    def answer(binary):
        if len(made.trials) < 3:
            raise Unprovable("there is no port")
        return proven.pretended(binary.path)

    made.answer = answer
    made.start()
    until(lambda: made.pool.unproven)
    assert made.pool.unproven == "claude 2.1.330 could not be proven: there is no port"
    assert made.locator.current().capabilities == Capabilities()
    until(lambda: made.locator.current().capabilities.going_back)
    assert made.pool.unproven is None
    assert [round(record.args[1], 1) for record in caplog.records if "next try" in record.message] == [0.2, 0.4]


def test_broken(made):
    """A broken one is tried once in a run of the server, and what could take its place is proven then."""
    other = made.script("claude-other", "2.1.329")
    made.others = [other]
    made.answer = lambda binary: proven.pretended(
        binary.path, binary.version_text, () if binary.path == other else ("turns",)
    )
    made.start()
    until(lambda: made.locator.choice().serving and made.locator.current().path == other)
    threading.Event().wait(0.2)
    assert made.trials == [made.locator.choice().found.path, other]
    assert "`turns`" in made.locator.choice().put_aside


def test_disk_full(made, monkeypatch):
    """A proof that cannot be written counts for this run."""

    def fail(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.private_file.tempfile.mkstemp", fail)
    made.start()
    until(lambda: made.locator.current().capabilities.going_back)
    threading.Event().wait(0.2)
    assert len(made.trials) == 1


def test_the_end(made):
    """A server that stops ends the trial that is under way, and nothing of it counts."""
    entered, go_on = threading.Event(), threading.Event()

    def answer(binary):
        entered.set()
        go_on.wait(5)
        return proven.pretended(binary.path, broken=("turns",))

    made.answer = answer
    made.start()
    assert entered.wait(5)
    made.pool.close()
    go_on.set()
    made.prover._thread.join(5)
    assert not made.prover._thread.is_alive()
    assert made.locator.choice().proof is None
