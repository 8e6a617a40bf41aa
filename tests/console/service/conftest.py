"""What is installed as a service."""

from __future__ import annotations

import pytest

from app.config_reading import read_settings
from app.console.service.installation import Installation


@pytest.fixture
def install(environment, program, monkeypatch):
    """Give a function that returns the installation a machine's user would get with these variables set."""

    def build(machine, **env):
        given = {k: v for k, v in environment(**env).items() if k != "ANTHROPIC_BASE_URL"}
        monkeypatch.setattr(type(machine), "environ", given)
        return Installation.of(machine, read_settings(given))

    return build
