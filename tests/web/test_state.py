"""What serves is started once, before anything needs it."""

from __future__ import annotations

import threading

import pytest

from app.errors import ConfigError
from app.web.state import Start


def test_once():
    """However many requests come at once, each step is done once, before any of them goes on."""
    done = []
    release = threading.Event()

    def step():
        assert release.wait(10)
        done.append(True)

    seen = []

    def come():
        start()
        seen.append(len(done))

    start = Start(step)
    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    release.set()
    for thread in threads:
        thread.join(10)
    assert done == [True]
    assert seen == [1] * 8


def test_again_after_a_failure():
    """A step that fails is told to whoever comes, and is tried again."""
    tries = []

    def step():
        tries.append(True)
        if len(tries) == 1:
            raise ConfigError("The folder cannot be used.")

    start = Start(step)
    with pytest.raises(ConfigError):
        start()
    start()
    start()
    assert len(tries) == 2
