"""gunicorn's settings: what a worker may hold, on each system."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = Path(__file__).parent.parent / "app" / "gunicorn_config.py"
TELL = """
import json, resource, runpy, sys
sys.platform = sys.argv[2]
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[3]), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
settings = runpy.run_path(sys.argv[1])
names = ("worker_class", "workers", "worker_connections", "timeout", "keepalive", "preload_app")
told = {name: settings[name] for name in names}
print(json.dumps({**told, "descriptors": resource.getrlimit(resource.RLIMIT_NOFILE)[0]}))
"""


def told(system: str, soft: int) -> dict[str, object]:
    """Return the settings on a system whose processes may have so many descriptors at first."""
    command = [sys.executable, "-c", TELL, CONFIG, system, str(soft)]
    env = {"PATH": os.environ["PATH"]}
    return json.loads(subprocess.run(command, env=env, capture_output=True, check=True, timeout=30).stdout)


@pytest.mark.parametrize(
    ("system", "soft", "connections", "descriptors"),
    [
        ("linux", 1024, 4096, 16384),
        ("linux", 20000, 4096, 20000),
        # select() takes no more than 1,024, so there must be no more.
        ("darwin", 256, 512, 1024),
        ("darwin", 20000, 512, 1024),
    ],
)
def test_settings(system: str, soft: int, connections: int, descriptors: int) -> None:
    """One gevent worker that keeps no connection, with as many descriptors as its event loop can take."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < 20000:
        pytest.skip("this system does not give a process so many descriptors")
    assert told(system, soft) == {
        "worker_class": "gevent",
        "workers": 1,
        "worker_connections": connections,
        "timeout": 60,
        "keepalive": 0,
        "preload_app": False,
        "descriptors": descriptors,
    }
