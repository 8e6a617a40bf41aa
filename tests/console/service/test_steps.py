"""A step that fails is told in a sentence, with a remedy, and leaves nothing behind."""

from __future__ import annotations

import pytest

from .units import LOADED, UNIT, installed, unit_file


@pytest.mark.parametrize(
    ("which", "told", "said"),
    [
        ("linux", ("systemctl", 127, "systemctl: No such file or directory"), "This machine has no systemd"),
        ("mac", ("print", 1, "Could not find domain for user gui: 501"), "Log in at this Mac's screen as ann"),
        ("mac", ("bootstrap", 125, "Bootstrap failed: 125: Domain does not support specified action"), "Log in at"),
        ("mac", ("bootstrap", 5, "Bootstrap failed: 5: Input/output error"), "launchctl print-disabled gui/501"),
        ("mac", ("bootstrap", 1, "Bootstrap failed: something else"), "service logs"),
        ("linux", ("enable", 1, "Job failed"), f"systemctl --user status {UNIT}"),
    ],
)
def test_failed_call(service, request, which, told, said):
    """A command that fails is shown with its output and a remedy, and the exit status is 1."""
    machine = request.getfixturevalue(which)
    ask, *ran = told
    machine.answers = {ask: [ran], **machine.answers}
    result = service(machine, "install")
    assert result.exit_code == 1
    assert ran[1] in result.output
    assert said in result.output


def test_service_that_does_not_end(service, mac):
    """The wait for an agent's end is bounded."""
    installed(mac)
    mac.answers = {"launchctl print": [LOADED]}
    result = service(mac, "stop")
    assert result.exit_code == 1
    assert "does not end" in result.output


def test_unwritable_folder(service, linux):
    """A folder that cannot be written to is named."""
    (linux.home / ".config").touch()
    result = service(linux, "install")
    assert result.exit_code == 1
    assert f"{unit_file(linux.home)} cannot be written" in result.output
