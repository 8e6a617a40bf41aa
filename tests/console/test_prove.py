"""`claude-max-api prove`, and the line of `doctor` that shows what it found."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import proven
import pytest

from app.claude.cli.proofs import Proofs
from app.proof.proving import PROMISES

FAKE = Path(__file__).parent.parent / "fake_claude.py"


@pytest.fixture
def keep(home):
    """Give a function that keeps a proof of the fake CLI, with some promises broken."""
    return lambda *broken: Proofs(home / "state").keep(proven.pretended(FAKE, broken=broken))


@pytest.mark.timeout(240)
def test_real(console, claude, home):
    """The real CLI is tried with every promise, shown as it goes; a server knows the result from then on."""
    earlier = home / "claude-earlier"
    earlier.touch()
    proofs = Proofs(home / "state")
    proofs.keep(proven.pretended(earlier, "2.1.1", ("composed", "no_tools")))
    result = console("prove", str(claude))
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    shown = [line.split()[1].rstrip(":") for line in lines if line.startswith(("kept ", "BROKEN ", "off "))]
    assert shown == [promise.name for promise in PROMISES]
    assert f"{len(PROMISES)} of {len(PROMISES)} promises are kept" in result.output
    assert [line.partition(" keeps ")[2] for line in lines[-2:]] == [
        "`no_tools`; 2.1.1 did not",
        "`composed`; 2.1.1 did not",
    ]
    assert proofs.usable()[0].path == str(claude)


def test_broken(console, home):
    """An executable that is none is told apart by the first promise, with the command that mends it and status 1."""
    result = console("prove")
    assert result.exit_code == 1
    assert "BROKEN  starts: " in result.output
    assert "not tried, since it does not start" in result.output
    assert result.output.splitlines()[-1].startswith("-> ")


def test_json(console):
    """For programs the same is an object."""
    told = json.loads(console("prove", "--json").stdout)
    assert told["holds"] is False
    assert [outcome["promise"] for outcome in told["outcomes"]] == [promise.name for promise in PROMISES]
    assert told["changes"] == []
    assert told["version"] == "2.1.330"


def test_nothing_to_try(console):
    """A path without an executable, and one that is too old, are named."""
    result = console("prove", "/no/such/claude")
    assert (result.exit_code, "/no/such/claude" in result.output) == (1, True)
    result = console("prove", FAKE_VERSION="2.1.1")
    assert result.exit_code == 1
    assert "needs 2.1.120" in result.output


def test_cannot_be_tried(console, monkeypatch):
    """Where the machine is at fault the executable is not, and the status says so."""

    def fail(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.proof.trial.tempfile.mkdtemp", fail)
    result = console("prove")
    assert result.exit_code == 2
    assert "could not be tried: there is no place to try it in: No space left on device" in result.output


@pytest.mark.parametrize(
    ("broken", "verdict", "words"),
    [
        ((), "pass", "promises are kept"),
        (("effort",), "pass", "off: effort"),
        (("turns",), "fail", "requests get a 502"),
    ],
)
def test_doctor(console, doctor, linux, keep, broken, verdict, words):  # noqa: PLR0917 - a table of three columns
    """The doctor shows the last proof, a line a promise; without one it says how to get it."""
    keep(*broken)
    got = doctor()["proof"]
    assert got[0] == verdict
    assert words in got[1]
    report = json.loads(console("doctor", "--json", machine=linux).stdout)
    (lines,) = [check["lines"] for check in report["checks"] if check["check"] == "proof"]
    assert [line.split()[1].rstrip(":") for line in lines] == [promise.name for promise in PROMISES]
    text = console("doctor", machine=linux).output
    assert all(f"    {line}" in text for line in lines)


def test_doctor_before(doctor):
    """An executable that has not been proven yet is nothing to mend."""
    assert doctor()["proof"][:2] == (
        "skip",
        "not yet: a server proves it when it is quiet, `claude-max-api prove` at once",
    )


def test_doctor_put_aside(doctor, home, keep):
    """Where another one serves, that is said."""
    other = home / "claude-other"
    other.write_text(FAKE.read_text())
    other.chmod(0o755)
    keep("turns")
    Proofs(home / "state").keep(msgspec.structs.replace(proven.pretended(other), version="2.1.329"))
    verdict, text, remedy = doctor()["proof"]
    assert verdict == "warn"
    assert text.endswith("serves")
    assert remedy
